import path from 'node:path'
import type { Place } from './places.ts'

/** Folders of the system and of package managers. A list of what is allowed: what is unknown is not shown. */
const readable = [
  '/System',
  '/Library',
  '/usr',
  '/bin',
  '/sbin',
  '/opt',
  '/private/etc',
  '/private/var/db/timezone',
  '/private/var/db/dyld',
  '/private/var/select',
  '/Applications/Xcode.app',
  '/dev/fd',
]
const readableFiles = [
  '/',
  '/etc',
  '/tmp',
  '/var',
  '/dev',
  '/dev/random',
  '/dev/urandom',
  '/dev/autofs_nowait',
]
const writableDevices = ['/dev/null', '/dev/zero', '/dev/tty', '/dev/dtracehelper']

/** Secrets below what is readable. */
const secret = [
  '/Library/Keychains',
  '/System/Volumes/Data',
  '/private/etc/master.passwd',
  '/private/etc/ssh',
  '/private/etc/sudoers',
  '/private/etc/sudoers.d',
]

/** Without these names and users cannot be looked up. None of them starts programs or reads other files. */
const services = [
  'com.apple.system.logger',
  'com.apple.system.notification_center',
  'com.apple.system.opendirectoryd.libinfo',
  'com.apple.system.opendirectoryd.membership',
]
const networkServices = [
  'com.apple.SystemConfiguration.configd',
  'com.apple.SystemConfiguration.DNSConfiguration',
  'com.apple.trustd.agent',
]

export interface ProfileInput {
  /** Folders of the environment: home, temporary files, mounts. Real paths, for links are resolved before rules are asked. */
  readonly places: readonly Pick<Place, 'path' | 'readonly'>[]
  readonly network: boolean
}

/**
 * What a program may do, in Seatbelt's profile language. Of several rules that match the last one decides, so the
 * environment's own folders come after the secrets: a project below /opt is still readable.
 */
export function seatbeltProfile({ places, network }: ProfileInput): string {
  const own = places.map((place) => place.path)
  const fixed = places.filter((place) => place.readonly).map((place) => place.path)
  const above = [...new Set(own.flatMap(foldersAbove))]
  return [
    '(version 1)',
    '(deny default)',
    '(allow process-exec)',
    '(allow process-fork)',
    '(allow signal (target same-sandbox))',
    '(allow process-info* (target same-sandbox))',
    '(allow sysctl-read)',
    '(allow ipc-posix-sem)',
    '(allow pseudo-tty)',
    rule('allow mach-lookup', services.map(globalName)),
    rule('allow file-read*', [...readable.map(subpath), ...readableFiles.map(literal)]),
    rule('deny file-read*', secret.map(subpath)),
    // Looking a path up needs the folders above it, not what lies in them.
    rule('allow file-read-metadata', above.map(literal)),
    rule('allow file-read* file-write*', [...writableDevices, '/dev/ptmx'].map(literal)),
    // A terminal that was handed in is set up; those of others cannot be opened.
    rule('allow file-ioctl', [...['/dev/tty', '/dev/ptmx'].map(literal), '(regex #"^/dev/ttys[0-9]+$")']),
    rule('allow file-read* file-write*', own.map(subpath)),
    rule('deny file-write*', fixed.map(subpath)),
    ...(network ? networkRules : []),
    '',
  ]
    .filter((line, index, lines) => line !== '' || index === lines.length - 1)
    .join('\n')
}

function rule(head: string, filters: readonly string[]): string {
  return filters.length === 0 ? '' : `(${[head, ...filters].join('\n  ')})`
}

/** A string of the language; profiles are Scheme, where only these two signs need help. */
export function quoteScheme(text: string): string {
  return `"${text.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`)}"`
}

const subpath = (place: string): string => `(subpath ${quoteScheme(place)})`
const literal = (place: string): string => `(literal ${quoteScheme(place)})`
const globalName = (name: string): string => `(global-name ${quoteScheme(name)})`

const networkRules = [
  '(allow network*)',
  '(allow system-socket)',
  rule('allow mach-lookup', networkServices.map(globalName)),
]

function foldersAbove(place: string): string[] {
  const parent = path.posix.dirname(place)
  return parent === place ? [] : [parent, ...foldersAbove(parent)]
}
