#!/holm/perl
# PID 1 of a machine without an init system of its own, and the program that starts others in it on behalf of holm.
# Only what perl has built in: a root filesystem may have no perl at all, this one comes with the initramfs and no modules.
#
# Boot: load kernel modules, mount the root, switch to it, network, mounts; then one child, the agent, listens in a network
# namespace of its own, on a network card that no program of the environment sees.

my %calls = (
  x86_64 => {
    mount => 165, umount => 166, reboot => 169, sethostname => 170, setrlimit => 160, setsid => 112, fchown => 93,
    setgroups => 116, setresgid => 119, setresuid => 117, unshare => 272, setns => 308, finit_module => 313,
    clock_settime => 227, sync => 162, pidfd_open => 434,
  },
  aarch64 => {
    mount => 40, umount => 39, reboot => 142, sethostname => 161, setrlimit => 164, setsid => 157, fchown => 55,
    setgroups => 159, setresgid => 149, setresuid => 147, unshare => 97, setns => 268, finit_module => 273,
    clock_settime => 112, sync => 81, pidfd_open => 434,
  },
);

my (%config, @modules, @mounts, @seeds, $nr);
my $main_net;

sub call {
  my ($name, @words) = @_;
  # perl passes a string by its address only when it is no number, and writable.
  return syscall($nr->{$name}, @words);
}

sub text { my $copy = "$_[0]"; return $copy }

sub unhex { return pack('H*', $_[0]) }

sub take_line {
  my ($line) = @_;
  chomp $line;
  my ($key, @words) = split / /, $line, -1;
  if ($key eq 'module') { push @modules, $words[0] }
  elsif ($key eq 'mount') { push @mounts, [@words] }
  elsif ($key eq 'seed_file') { push @seeds, [map { unhex($_) } @words] }
  else { $config{$key} = unhex($words[0] // '') }
}

sub load_config {
  open(my $file, '<', '/holm/config') or die "no configuration: $!";
  while (my $line = <$file>) { take_line($line) }
  $nr = $calls{$config{arch}} or die "unknown architecture $config{arch}";
}

sub say_console {
  my ($line) = @_;
  open(my $console, '>', '/dev/console') or return;
  syswrite($console, "$line\n");
}

# The machine ends; what was said is the cause that holm shows.
sub give_up {
  say_console("holm: $_[0]");
  call('sync');
  call('reboot', 0xfee1dead, 672274793, 0x4321fedc, 0);
  exit 1;
}

sub mount_at {
  my ($source, $target, $type, $flags, $options) = @_;
  my ($from, $to, $kind, $data) = map { text($_ // '') } ($source, $target, $type, $options);
  return call('mount', $from, $to, $kind, $flags // 0, $data) == 0;
}

sub make_folder {
  my ($folder) = @_;
  my $path = '';
  for my $part (grep { length } split m{/}, $folder) {
    $path .= "/$part";
    mkdir($path, 0755) unless -e $path;
  }
}

sub write_file {
  my ($path, $data) = @_;
  open(my $file, '>', $path) or return 0;
  my $wrote = syswrite($file, $data);
  return close($file) && defined $wrote;
}

sub read_file {
  my ($path) = @_;
  open(my $file, '<', $path) or return undef;
  local $/;
  return scalar <$file>;
}

sub list_folder {
  opendir(my $handle, $_[0]) or return;
  return grep { $_ ne '.' && $_ ne '..' } readdir $handle;
}

sub list_processes { return grep { /^\d+$/ } list_folder('/proc') }

sub pause_for { select(undef, undef, undef, $_[0]) }

# ---------------------------------------------------------------------------------------------------------------- boot

sub mount_early {
  mount_at('devtmpfs', '/dev', 'devtmpfs');
  mount_at('proc', '/proc', 'proc', 2 | 4 | 8);
  mount_at('sysfs', '/sys', 'sysfs', 2 | 4 | 8);
  open(STDIN, '<', '/dev/null');
  open(STDOUT, '>', '/dev/console');
  open(STDERR, '>', '/dev/console');
}

sub load_modules {
  for my $name (splice @modules) {
    my $path = "/holm/modules/$name";
    open(my $file, '<', $path) or give_up("kernel module $name is missing");
    my $options = text('');
    next if call('finit_module', fileno($file), $options, 0) == 0;
    # One of them may be built in or unfit for this machine; what is really needed is missed below.
    say_console("holm: kernel module $name: $!") unless $! == 17;
  }
}

sub find_channel {
  for (1 .. 2000) {
    for my $name (list_folder('/sys/class/virtio-ports')) {
      my $label = read_file("/sys/class/virtio-ports/$name/name") // '';
      return "/dev/$name" if $label =~ /^\Q$config{channel}\E$/ && -c "/dev/$name";
    }
    pause_for(0.005);
  }
  give_up('the channel of its configuration does not appear');
}

# Up to here all machines of one make are the same: from here on this is the machine that the configuration names, also when it
# goes on from a memory that was saved while another one waited here. Drivers of what differs come afterwards.
sub await_config {
  my $path = find_channel();
  open(my $channel, '<', $path) or give_up("the channel of its configuration cannot be opened: $!");
  say_console('holm: waiting');
  my $text = '';
  until ($text =~ /^end$/m) {
    my $read = sysread($channel, $text, 65536, length $text);
    # Nobody is at the other end yet.
    pause_for(0.01) unless $read;
  }
  take_line($_) for grep { $_ ne 'end' } split /\n/, $text;
  if ($config{time}) {
    my $time = pack('q q', $config{time}, 0);
    call('clock_settime', 0, $time);
  }
  load_modules();
  set_address($config{found_mac}, $config{mac}) if length($config{found_mac} // '');
  set_address($config{found_control}, $config{control}) if length($config{found_control} // '');
}

# A card has the address of the machine whose memory was saved.
sub set_address {
  my ($found, $wanted) = @_;
  return if $found eq $wanted;
  my $name = interface_with($found) or give_up("the card $found is missing");
  socket(my $socket, 2, 2, 0) or return;
  my $request = pack('a16 S C6 x16', $name, 1, map { hex } split /:/, $wanted);
  ioctl($socket, 0x8924, $request) or give_up("card $name keeps its address: $!");
}

sub wait_for_disk {
  for (1 .. 2000) {
    return if -b $config{root};
    pause_for(0.005);
  }
  my @found = list_folder('/sys/class/block');
  give_up("no root: $config{root} does not appear; disks: @found");
}

# The root of a disk that somebody else made is the largest of its file systems that looks like one.
sub find_root {
  my ($disk) = $config{root} =~ m{([^/]+)$};
  my %sizes = map { ($_ => read_file("/sys/class/block/$_/size") // 0) } grep { /^\Q$disk\E/ } list_folder('/sys/class/block');
  for my $name (sort { $sizes{$b} <=> $sizes{$a} } keys %sizes) {
    for my $type (split /,/, $config{filesystem}) {
      next unless mount_at("/dev/$name", '/root', $type);
      if (-d '/root/etc' && -d '/root/usr') { $config{root} = "/dev/$name"; return }
      call('umount', text('/root'), 0);
    }
  }
  give_up("no root: none of the file systems on $config{root} holds one");
}

sub mount_root {
  mkdir('/root', 0755);
  wait_for_disk();
  return find_root() if $config{search};
  for my $type (split /,/, $config{filesystem}) {
    if (mount_at($config{root}, '/root', $type)) { grow_root($type); return }
  }
  give_up("no root: $config{root} cannot be mounted: $!");
}

# The disk may have been made larger; the kernel grows the file system while it is mounted.
sub grow_root {
  my ($type) = @_;
  return unless $type eq 'ext4' && $config{grow};
  my ($disk) = $config{root} =~ m{([^/]+)$};
  my $sectors = read_file("/sys/class/block/$disk/size") or return;
  open(my $folder, '<', '/root') or return;
  my $blocks = pack('Q', int($sectors * 512 / $config{grow}));
  ioctl($folder, 0x40086610, $blocks) or say_console("holm: the file system keeps its size: $!");
}

sub remove_initramfs {
  my ($folder) = @_;
  for my $name (list_folder($folder)) {
    my $path = $folder eq '/' ? "/$name" : "$folder/$name";
    next if $path =~ m{^/(?:root|dev|proc|sys)$};
    if (-d $path && !-l $path) { remove_initramfs($path); rmdir $path }
    else { unlink $path }
  }
}

# Settings for cloud-init, where it is.
sub write_seeds {
  return unless -d '/etc/cloud';
  for my $entry (@seeds) {
    my ($path, $data) = @$entry;
    make_folder($1) if $path =~ m{(.*)/};
    write_file($path, $data) or say_console("holm: $path: $!");
  }
}

sub switch_root {
  for my $name ('dev', 'proc', 'sys') {
    mkdir("/root/$name", 0755);
    mount_at("/$name", "/root/$name", '', 8192) or give_up("cannot move /$name: $!");
  }
  remove_initramfs('/');
  chdir('/root');
  mount_at('.', '/', '', 8192) or give_up("cannot switch to the root: $!");
  chroot('.');
  chdir('/');
}

sub mount_usual {
  for my $entry (
    ['devpts', '/dev/pts', 'devpts', 2 | 8, 'gid=5,mode=620,ptmxmode=666'],
    ['shm', '/dev/shm', 'tmpfs', 2 | 4, 'mode=1777'],
    ['tmpfs', '/run', 'tmpfs', 2 | 4, 'mode=755'],
    ['cgroup2', '/sys/fs/cgroup', 'cgroup2', 2 | 4 | 8, ''],
  ) {
    make_folder($entry->[1]);
    mount_at(@$entry) or say_console("holm: $entry->[1]: $!");
  }
  mkdir('/run/lock', 01777);
  chmod(01777, '/run/lock');
  mkdir('/tmp', 01777) unless -e '/tmp';
  symlink('/proc/self/fd', '/dev/fd');
  symlink("/proc/self/fd/$_->[0]", "/dev/$_->[1]") for [0, 'stdin'], [1, 'stdout'], [2, 'stderr'];
  symlink('/dev/pts/ptmx', '/dev/ptmx') unless -e '/dev/ptmx';
}

sub set_names {
  my $name = $config{hostname};
  call('sethostname', text($name), length $name);
  write_file('/etc/hostname', "$name\n") unless (read_file('/etc/hostname') // '') eq "$name\n";
  my $hosts = read_file('/etc/hosts') // "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
  write_file('/etc/hosts', "${hosts}127.0.1.1\t$name\n") unless $hosts =~ /\s\Q$name\E(?:\s|$)/;
  return unless length($config{dns} // '') && !configures_itself();
  my $resolver = "nameserver $config{dns}\n";
  unlink('/etc/resolv.conf') if -l '/etc/resolv.conf' && !-e '/etc/resolv.conf';
  write_file('/etc/resolv.conf', $resolver) unless (read_file('/etc/resolv.conf') // '') eq $resolver;
}

# --------------------------------------------------------------------------------------------------------------- network

# A base with cloud-init sets up its network by itself, as it is told to in the seed.
sub configures_itself { return @seeds && $config{main} ne 'hold' && -d '/etc/cloud' }

sub interface_with {
  my ($mac) = @_;
  for my $name (list_folder('/sys/class/net')) {
    my $address = read_file("/sys/class/net/$name/address") // '';
    return $name if $address =~ /^\Q$mac\E/;
  }
  return undef;
}

sub address { return pack('S n C4 x8', 2, 0, split(/\./, $_[0])) }

sub interface_up {
  my ($name, $ip, $mask) = @_;
  socket(my $socket, 2, 2, 0) or return;
  my $request = sub { my ($code, $data) = @_; my $buffer = pack('a16 a24', $name, $data); ioctl($socket, $code, $buffer) };
  if (defined $ip) {
    $request->(0x8916, address($ip));
    $request->(0x891c, address($mask));
  }
  # IFF_UP and IFF_RUNNING
  $request->(0x8914, pack('S', 0x41));
}

sub default_route {
  my ($gateway) = @_;
  socket(my $socket, 2, 2, 0) or return;
  # struct rtentry of 64 bits: RTF_UP and RTF_GATEWAY
  my $route = pack('Q a16 a16 a16 S x6 x56', 0, address('0.0.0.0'), address($gateway), address('0.0.0.0'), 3);
  ioctl($socket, 0x890b, $route) or say_console("holm: no default route: $!");
}

sub start_network {
  interface_up('lo');
  return unless length($config{mac} // '');
  my $name = interface_with($config{mac}) or return say_console('holm: the network card is missing');
  return if configures_itself();
  interface_up($name, $config{address}, '255.255.255.0');
  default_route($config{gateway});
}

# Moves the card that holm talks through into a namespace where only the agent is.
sub hide_control_card {
  open($main_net, '<', '/proc/self/ns/net') or give_up("no network namespaces: $!");
  my $name = interface_with($config{control}) or give_up('the control card is missing');
  my $index = read_file("/sys/class/net/$name/ifindex") + 0;
  socket(my $netlink, 16, 3, 0) or give_up("no netlink: $!");
  call('unshare', 0x40000000) == 0 or give_up("cannot make a network namespace: $!");
  open(my $own, '<', '/proc/self/ns/net') or give_up("no network namespace: $!");
  # RTM_NEWLINK, request and acknowledge, with IFLA_NET_NS_FD
  my $body = pack('C x S i I I', 0, 0, $index, 0, 0) . pack('S S I', 8, 28, fileno($own));
  send($netlink, pack('L S S L L', 16 + length $body, 16, 5, 1, 0) . $body, 0, pack('S x10', 16));
  my $answer = '';
  recv($netlink, $answer, 4096, 0);
  my ($code) = unpack('x16 l', $answer);
  if ($code) { $! = -$code; give_up("the control card cannot be moved: $!") }
  interface_up('lo');
  interface_up($name, $config{address}, '255.255.255.0');
}

# ---------------------------------------------------------------------------------------------------------------- mounts

sub mount_one {
  my ($kind, $source, $target, $readonly, $options) = @_;
  make_folder($target);
  my $flags = $readonly ? 1 : 0;
  return mount_at('tmpfs', $target, 'tmpfs', 2 | 4, $options) if $kind eq 'tmpfs';
  return mount_at($source, $target, '9p', $flags, "trans=virtio,version=9p2000.L,msize=524288,cache=mmap,access=any$options");
}

sub mount_all {
  for my $entry (@mounts) {
    my ($kind, @words) = map { $_ } @$entry;
    my ($source, $target, $readonly, $options) = map { unhex($_) } @words;
    mount_one($kind, $source, $target, $readonly, $options) or give_up("cannot mount $target: $!");
  }
}

# ----------------------------------------------------------------------------------------------------------------- limits

sub make_group {
  my $root = '/sys/fs/cgroup';
  return unless length($config{pids} // '') || length($config{cpu} // '') || length($config{memory} // '');
  write_file("$root/cgroup.subtree_control", '+pids');
  write_file("$root/cgroup.subtree_control", '+cpu');
  write_file("$root/cgroup.subtree_control", '+memory');
  mkdir("$root/holm", 0755);
  write_file("$root/holm/pids.max", $config{pids}) if length($config{pids} // '');
  write_file("$root/holm/cpu.max", $config{cpu}) if length($config{cpu} // '');
  write_file("$root/holm/memory.max", $config{memory}) if length($config{memory} // '');
}

sub mix_randomness {
  my ($bytes) = @_;
  open(my $random, '+<', '/dev/urandom') or return;
  my $entropy = pack('i i', 8 * length $bytes, length $bytes) . $bytes;
  ioctl($random, 0x40085203, $entropy);
  ioctl($random, 0x5207, 0);
}

# ------------------------------------------------------------------------------------------------------------------ agent

my ($client, $incoming, $outgoing, $closed);

sub frame { $outgoing .= pack('a1 N', $_[0], length $_[1]) . $_[1] }

sub flush_all {
  while (length $outgoing) {
    my $wrote = syswrite($client, $outgoing, 65536);
    if (defined $wrote) { substr($outgoing, 0, $wrote, '') }
    elsif ($! == 11) { my $bits = ''; vec($bits, fileno($client), 1) = 1; select(undef, $bits, undef, 10) }
    elsif ($! != 4) { return }
  }
}

sub next_frame {
  return unless length $incoming >= 5;
  my ($type, $length) = unpack('a1 N', $incoming);
  return unless length $incoming >= 5 + $length;
  my $payload = substr($incoming, 5, $length);
  substr($incoming, 0, 5 + $length, '');
  return ($type, $payload);
}

sub fetch {
  my $read = sysread($client, $incoming, 131072, length $incoming);
  if (!defined $read) { $closed = 1 unless $! == 11 || $! == 4; return }
  $closed = 1 if $read == 0;
}

sub first_frame {
  my $until = time + 10;
  while (!$closed && time < $until) {
    my ($type, $payload) = next_frame();
    return $payload if defined $type && $type eq 'Q';
    return undef if defined $type || length $incoming > 8_000_000;
    my $bits = '';
    vec($bits, fileno($client), 1) = 1;
    fetch() if select($bits, undef, undef, 1) > 0;
  }
  return undef;
}

sub parse_request {
  my %request = (arg => [], env => []);
  for my $line (split /\n/, $_[0]) {
    my ($key, $value) = split / /, $line, 2;
    my $word = unhex($value // '');
    if (ref $request{$key}) { push @{ $request{$key} }, $word }
    else { $request{$key} = $word }
  }
  return \%request;
}

sub serve {
  ($incoming, $outgoing, $closed) = ('', '', 0);
  $SIG{CHLD} = 'DEFAULT';
  $SIG{PIPE} = 'IGNORE';
  $SIG{TERM} = $SIG{INT} = $SIG{HUP} = 'IGNORE';
  setsockopt($client, 6, 1, pack('i', 1));
  fcntl($client, 4, 2048);
  my $payload = first_frame() // return;
  my $request = parse_request($payload);
  if (($request->{token} // '') ne $config{token}) { frame('F', 'refused'); flush_all(); return }
  my $operation = main->can("op_$request->{op}");
  if ($operation) { $operation->($request) }
  else { frame('F', "unknown operation $request->{op}") }
  flush_all();
  take_leave();
}

# A connection that is closed with something unread in it is reset, and what is still on its way out is lost with it.
sub take_leave {
  shutdown($client, 1);
  my $until = time + 30;
  until ($closed || time >= $until) {
    my $bits = '';
    vec($bits, fileno($client), 1) = 1;
    next unless select($bits, undef, undef, 1) > 0;
    $incoming = '';
    fetch();
  }
}

sub listen_for_holm {
  socket(my $server, 2, 1, 0) or give_up("no sockets: $!");
  setsockopt($server, 1, 2, pack('i', 1));
  bind($server, pack('S n C4 x8', 2, 1, 0, 0, 0, 0)) or give_up("cannot listen: $!");
  listen($server, 128);
  say_console('holm: ready');
  $SIG{CHLD} = 'IGNORE';
  while (1) {
    accept($client, $server) or next;
    my $pid = fork();
    if (defined $pid && $pid == 0) {
      close($server);
      serve();
      exit 0;
    }
    close($client);
  }
}

sub op_ping { frame('O', 'pong') }

# After a machine was restored: the clock went on without it, and its randomness may have been used before.
sub op_wake {
  my ($request) = @_;
  mix_randomness($request->{seed}) if length($request->{seed} // '');
  if ($request->{time}) {
    my $time = pack('q q', $request->{time}, 0);
    call('clock_settime', 0, $time);
  }
  if (length($request->{hostname} // '')) { $config{hostname} = $request->{hostname}; set_names() }
  frame('O', '');
}

sub op_metrics {
  my $processes = grep { my $line = read_file("/proc/$_/cmdline"); defined $line && length $line }
    list_processes();
  my $first = read_file('/proc/stat');
  pause_for(0.15);
  frame('O', join("\0", $first, read_file('/proc/stat'), read_file('/proc/meminfo'), $processes));
}

sub op_sync { call('sync'); frame('O', '') }

sub is_mounted {
  my ($target) = @_;
  my ($here, $above) = map { (stat $_)[0] } $target, "$target/..";
  return defined $here && defined $above && $here != $above;
}

# Mounts what is not mounted.
sub op_mount {
  my ($request) = @_;
  for my $entry (@{ $request->{arg} }) {
    my ($kind, @words) = split / /, $entry, -1;
    my ($source, $target, $readonly, $options) = map { unhex($_) } @words;
    is_mounted($target) || mount_one($kind, $source, $target, $readonly, $options) or return frame('F', "cannot mount $target: $!");
  }
  frame('O', '');
}

sub op_umount {
  my ($request) = @_;
  call('sync');
  for my $target (reverse @{ $request->{arg} }) {
    my $word = text($target);
    call('umount', $word, 0) == 0 or return frame('F', "$target: $!");
  }
  frame('O', '');
}

sub other_processes {
  my $own = getpgrp(0);
  my @found;
  for my $pid (list_processes()) {
    next if $pid == 1 || $pid == $$;
    my $line = read_file("/proc/$pid/stat") // next;
    my ($state, $parent, $group) = (split / /, substr($line, rindex($line, ')') + 2))[0, 1, 2];
    next if $group == 0 || $group == $own || $state eq 'Z' || $parent == 2;
    push @found, $pid;
  }
  return @found;
}

sub op_poweroff {
  my ($request) = @_;
  frame('O', '');
  flush_all();
  if ($config{main} ne 'hold') { kill(38, 1); return }
  my $until = time + int(($request->{grace} // 0) / 1000) + 1;
  if ($request->{grace}) {
    kill('CONT', $_), kill('TERM', $_) for other_processes();
    pause_for(0.02) while other_processes() && time < $until;
  }
  for (1 .. 50) {
    my @left = other_processes() or last;
    kill('KILL', @left);
    pause_for(0.02);
  }
  pause_for(0.02);
  call('sync');
  for my $entry (reverse @mounts) { my $target = unhex($entry->[2]); call('umount', $target, 2) }
  mount_at('', '/', '', 33);
  call('sync');
  call('reboot', 0xfee1dead, 672274793, 0x4321fedc, 0);
}

# ------------------------------------------------------------------------------------------------------------------- exec

sub entry_of {
  my ($file, $word, $column) = @_;
  for my $line (split /\n/, read_file($file) // '') {
    my @fields = split /:/, $line, -1;
    return @fields if $fields[0] eq $word || ($word =~ /^\d+$/ && ($fields[2] // '') eq $word);
  }
  return;
}

# (uid, gid, groups, name, home, shell), or nothing for a name that nobody has.
sub account_of {
  my ($word) = @_;
  my ($user, $group) = split /:/, length $word ? $word : 'root', 2;
  my @entry = entry_of('/etc/passwd', $user);
  @entry = ('root', 'x', 0, 0, '', '/root', '/bin/sh') if !@entry && $user =~ /^(?:root|0)$/;
  return if !@entry && $user !~ /^\d+$/;
  my ($name, undef, $uid, $gid, undef, $home, $shell) = @entry ? @entry : ($user, 'x', $user, 0, '', '/', '/bin/sh');
  my @groups = ($gid);
  if (defined $group) {
    my @found = entry_of('/etc/group', $group);
    return if !@found && $group !~ /^\d+$/;
    $gid = @found ? $found[2] : $group;
    @groups = ($gid);
  } else {
    for my $line (split /\n/, read_file('/etc/group') // '') {
      my @fields = split /:/, $line, -1;
      push @groups, $fields[2] if grep { $_ eq $name } split /,/, $fields[3] // '';
    }
  }
  return { uid => $uid, gid => $gid, groups => \@groups, name => $name, home => length $home ? $home : '/', shell => $shell || '/bin/sh' };
}

sub open_terminal {
  my ($rows, $cols) = @_;
  open(my $master, '+<', '/dev/pts/ptmx') or open($master, '+<', '/dev/ptmx') or return;
  my $unlock = pack('i', 0);
  ioctl($master, 0x40045431, $unlock);
  my $number = pack('I', 0);
  ioctl($master, 0x80045430, $number) or return;
  set_size($master, $rows, $cols);
  return ($master, '/dev/pts/' . unpack('I', $number));
}

sub set_size {
  my ($master, $rows, $cols) = @_;
  my $size = pack('S S S S', $rows, $cols, 0, 0);
  ioctl($master, 0x5414, $size);
}

sub become {
  my ($account) = @_;
  my @groups = @{ $account->{groups} };
  my $packed = pack('L*', @groups);
  call('setgroups', scalar @groups, $packed);
  call('setresgid', ($account->{gid} + 0) x 3) == 0 or return 0;
  return call('setresuid', ($account->{uid} + 0) x 3) == 0;
}

sub variables_of {
  my ($request, $account) = @_;
  my %variables = (
    PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME => $account->{home}, USER => $account->{name}, LOGNAME => $account->{name}, SHELL => $account->{shell},
    LANG => 'C.UTF-8', HOSTNAME => $config{hostname},
  );
  $variables{TERM} = 'xterm-256color' if $request->{rows};
  for my $entry (@{ $request->{env} }) {
    my ($name, $value) = split /=/, $entry, 2;
    $variables{$name} = $value;
  }
  return %variables;
}

# In the child: everything that makes it the program that was asked for. Never returns.
sub run_program {
  my ($request, $account) = @_;
  $SIG{$_} = 'DEFAULT' for 'CHLD', 'PIPE', 'TERM', 'INT', 'HUP';
  write_file('/proc/self/oom_score_adj', '0');
  write_file('/sys/fs/cgroup/holm/cgroup.procs', '0') if -d '/sys/fs/cgroup/holm';
  call('setns', fileno($main_net), 0x40000000);
  umask(022);
  my @argv = @{ $request->{arg} };
  %ENV = variables_of($request, $account);
  unless (become($account)) { print STDERR "holm: cannot become user $account->{name}: $!\n"; exit 126 }
  my $folder = length($request->{cwd} // '') ? $request->{cwd} : $account->{home};
  chdir($folder) or chdir('/');
  exec { $argv[0] } @argv;
  my $error = $! + 0;
  print STDERR "holm: $argv[0]: $!\n";
  exit($error == 2 || $error == 20 ? 127 : 126);
}

sub op_exec {
  my ($request) = @_;
  my $account = account_of($request->{user} // '');
  return frame('F', "USAGE user \"$request->{user}\" does not exist") unless $account;
  if (length($request->{cwd} // '')) {
    return frame('F', "USAGE folder $request->{cwd} does not exist") unless -e $request->{cwd};
    return frame('F', "USAGE folder $request->{cwd} is no folder") unless -d _;
  }
  my ($child, $in, $out, $err) = $request->{rows} ? start_on_terminal($request, $account) : start_on_pipes($request, $account);
  return frame('F', "cannot start a program: $!") unless $child;
  frame('P', $child);
  relay($child, $in, [[$out, '1'], $err ? [$err, '2'] : ()]);
}

sub start_on_terminal {
  my ($request, $account) = @_;
  my ($master, $path) = open_terminal($request->{rows}, $request->{cols}) or return;
  chown($account->{uid}, 5, $path);
  my $child = fork() // return;
  if ($child == 0) {
    call('setsid');
    open(my $slave, '+<', $path) or exit 126;
    ioctl($slave, 0x540e, 0);
    open(STDIN, '<&', $slave);
    open(STDOUT, '>&', $slave);
    open(STDERR, '>&', $slave);
    run_program($request, $account);
  }
  return ($child, $master, $master, undef);
}

sub start_on_pipes {
  my ($request, $account) = @_;
  my ($in_read, $in_write);
  if ($request->{stdin}) { pipe($in_read, $in_write) or return }
  else { open($in_read, '<', '/dev/null') or return }
  pipe(my $out_read, my $out_write) or return;
  pipe(my $err_read, my $err_write) or return;
  # So that /dev/stdout can be opened by the program's own user.
  call('fchown', fileno($_), $account->{uid} + 0, $account->{gid} + 0) for $out_write, $err_write, $request->{stdin} ? $in_read : ();
  my $child = fork() // return;
  if ($child == 0) {
    call('setsid');
    open(STDIN, '<&', $in_read);
    open(STDOUT, '>&', $out_write);
    open(STDERR, '>&', $err_write);
    run_program($request, $account);
  }
  return ($child, $in_write, $out_read, $err_read);
}

my $window = 262144;

# Bytes both ways until the program ended and nobody writes any more.
sub relay {
  my ($child, $in, $sources) = @_;
  my $terminal = @$sources == 1;
  my $pidfd = call('pidfd_open', $child, 0);
  my ($input, $input_ended, $status, $quiet) = ('', 0, undef, 0);
  fcntl($_, 4, 2048) for grep { defined } $in, map { $_->[0] } @$sources;
  while (@$sources || !defined $status) {
    last if $closed && !defined $status && hang_up($child);
    my ($reads, $writes) = ('', '');
    vec($reads, fileno($client), 1) = 1 unless $closed;
    vec($reads, $pidfd, 1) = 1 unless defined $status;
    vec($writes, fileno($client), 1) = 1 if length $outgoing;
    vec($writes, fileno($in), 1) = 1 if defined $in && (length $input || ($input_ended && !$terminal));
    if (length $outgoing < $window) { vec($reads, fileno($_->[0]), 1) = 1 for @$sources }
    my $ready = select($reads, $writes, undef, defined $status ? 1 : undef);
    # The program ended and something it left behind keeps the output open: it is not waited for.
    last if $ready == 0 && defined $status && !length $outgoing;
    next if $ready <= 0;
    if (!$closed && vec($reads, fileno($client), 1)) { fetch() }
    while (my ($type, $payload) = next_frame()) {
      if ($type eq 'I') { $input .= $payload if defined $in; frame('K', length $payload) unless defined $in }
      elsif ($type eq 'E') { $input_ended = 1; $input .= "\x04" if $terminal && 0 }
      elsif ($type eq 'S') { kill($payload + 0, -$child) unless defined $status }
      elsif ($type eq 'W' && $terminal) { set_size($sources->[0][0], split(/ /, $payload)) if @$sources }
    }
    if (defined $in && vec($writes, fileno($in), 1)) { ($in, $input) = feed($in, $input, $input_ended && !$terminal) }
    if (length $outgoing && vec($writes, fileno($client), 1)) {
      my $wrote = syswrite($client, $outgoing, 65536);
      if (defined $wrote) { substr($outgoing, 0, $wrote, '') }
      elsif ($! != 11 && $! != 4) { $closed = 1; $outgoing = '' }
    }
    @$sources = grep { !vec($reads, fileno($_->[0]), 1) || take($_) } @$sources;
    if (!defined $status && vec($reads, $pidfd, 1)) { $status = $? if waitpid($child, 0) == $child }
  }
  return unless defined $status;
  frame('X', ($status & 127) ? '128 ' . ($status & 127) : ($status >> 8) . ' 0');
}

sub feed {
  my ($in, $input, $ended) = @_;
  if (length $input) {
    my $wrote = syswrite($in, $input, 65536);
    if (defined $wrote) { substr($input, 0, $wrote, ''); frame('K', $wrote) }
    elsif ($! != 11 && $! != 4) { frame('K', length $input); close($in); return (undef, '') }
  }
  if ($ended && !length $input) { close($in); return (undef, '') }
  return ($in, $input);
}

# False when the source has ended.
sub take {
  my ($source) = @_;
  my $read = sysread($source->[0], my $data, 65536);
  return ($! == 11 || $! == 4) unless defined $read;
  return 0 unless $read;
  frame($source->[1], $data);
  return 1;
}

# Nobody listens any more: the program gets what a closed terminal gives it, then the end.
sub hang_up {
  my ($child) = @_;
  kill(1, -$child);
  kill(18, -$child);
  for (1 .. 100) { return 1 if waitpid($child, 1) == $child; pause_for(0.02) }
  kill(9, -$child);
  waitpid($child, 0);
  return 1;
}

# ------------------------------------------------------------------------------------------------------------------- main

sub raise_limits {
  my $files = pack('Q Q', 65536, 1048576);
  call('setrlimit', 7, $files);
}

sub open_log {
  my $path = -c '/dev/hvc0' ? '/dev/hvc0' : '/dev/console';
  chmod(0622, $path);
  open(STDOUT, '>', $path);
  open(STDERR, '>', $path);
  my $modes = "\0" x 64;
  ioctl(STDOUT, 0x5401, $modes) or return;
  my @words = unpack('L4', $modes);
  substr($modes, 0, 16) = pack('L4', 0, 0, $words[2], 0);
  ioctl(STDOUT, 0x5402, $modes);
}

sub start_agent {
  my $pid = fork();
  return if $pid;
  write_file('/proc/self/oom_score_adj', '-1000');
  setpgrp(0, 0);
  $0 = 'holm-agent';
  hide_control_card();
  listen_for_holm();
}

sub boot {
  load_config();
  mount_early();
  load_modules();
  await_config() if length($config{channel} // '');
  mix_randomness($config{seed}) if length($config{seed} // '');
  mount_root();
  switch_root();
  # What the base declares as its main process is its init system, where it has one.
  $config{main} = $config{main} eq 'base' && -x '/sbin/init' ? '/sbin/init' : 'hold';
  write_seeds();
  mount_usual();
  set_names();
  raise_limits();
  start_network();
  mount_all();
  make_group();
  start_agent();
}

boot();
open_log();
if ($config{main} ne 'hold') {
  my $init = $config{main};
  exec { $init } $init or give_up("cannot start $init: $!");
}
$0 = 'holm-init';
$SIG{$_} = 'IGNORE' for 'INT', 'TERM', 'HUP';
# Children that others left behind are collected; nothing else is ever done here.
while (1) {
  my $pid = wait();
  pause_for(1) if $pid < 0;
}
