import { describe, expect, it } from 'vitest'
import { builtins } from '../commands/index.ts'
import { createStyle } from '../output/style.ts'
import { runHolm } from '../../test/run-holm.ts'
import { renderCommandHelp } from './help.ts'

describe('help', () => {
  it('lists the commands by group', async () => {
    const { stdout } = await runHolm(['--help'])
    expect(stdout).toMatchInlineSnapshot(`
      "One blueprint, one command: a place to work, on any runtime.

      USAGE
        $ holm COMMAND [ARGUMENTS] [FLAGS]

      ENVIRONMENTS
        init                Write a blueprint for this folder.
        up                  Bring an environment up: the one command to start with.
        list                List the environments of this machine.
        status              Show one environment: state, ports, limits and what is looser than the defaults.
        exec                Run a program inside an environment.
        shell               Open a shell inside an environment.
        check               Run the blueprint's check inside, to see that the environment works.
        logs                Show what an environment wrote.
        start               Start a stopped environment, its files as they were.
        stop                Stop an environment and keep its files.
        destroy             Remove an environment and everything of it.
        update              Install again on top of a running environment.
        resize              Change the limits of an environment, also while it runs where the provider can.
        events              Show what holm did: steps and changes of state.

      IMAGES AND COPIES
        clone               Make new environments from the files of one.
        snapshot create     Save an environment, with the files of its project folder.
        snapshot list       List the snapshots of an environment.
        snapshot restore    Put an environment and its project files back as they were.
        snapshot remove     Remove a snapshot and the files that were saved with it.
        build               Install what a blueprint asks for once, and keep the result for every up.
        image list          List the golden images of this machine.
        image show          Show one golden image.
        image remove        Remove a golden image; environments made from it live on.
        image prune         Remove golden images that no environment was made from.
        export              Write an environment into one portable archive.
        import              Make an environment from an archive that export wrote.

      BLUEPRINTS AND BASES
        blueprint list      List the built-in blueprints.
        blueprint show      Show a blueprint with everything it extends, or what holm makes of it.
        blueprint validate  Check a blueprint without running anything.
        base list           List the bases a blueprint can start from.
        base add            Register a local tarball, folder, disk or image under a name; nothing is copied.
        base import         Copy a tarball or disk, or download one, into the cache.
        base build          Build a root filesystem from the distribution's packages.
        base remove         Forget a local base and remove its cached files.

      MACHINE
        provider list       List the providers and what they can do.
        provider show       Show one provider: usable or how to make it so, traits, facets, limitations.
        config list         List the configuration as it is in force.
        config get          Print one value of the configuration.
        config set          Set a value in the user's or the project's configuration file.
        doctor              Check runtimes and machine, and say how to fix what is wrong.

      HOLM
        plugins list        List the plugins and the ones that failed to load.
        plugins install     Install a plugin from npm, a tarball or a folder.
        plugins link        Use a plugin from its folder while it is being written.
        plugins remove      Remove an installed plugin, or forget a linked one.
        plugins new         Write a new plugin to start from.
        completion          Print the completion script of a shell.
        version             Print the version of holm.

      START HERE
        $ holm init      write a blueprint for this folder
        $ holm up        bring the environment up
        $ holm shell     work in it

      holm COMMAND --help tells more about a command.
      "
    `)
    expect((await runHolm([])).stdout).toBe(stdout)
    expect((await runHolm(['help'])).stdout).toBe(stdout)
  })

  it('lists the commands of a topic', async () => {
    const { stdout } = await runHolm(['base'])
    expect(stdout).toMatchInlineSnapshot(`
      "USAGE
        $ holm base COMMAND

      COMMANDS
        base list    List the bases a blueprint can start from.
        base add     Register a local tarball, folder, disk or image under a name; nothing is copied.
        base import  Copy a tarball or disk, or download one, into the cache.
        base build   Build a root filesystem from the distribution's packages.
        base remove  Forget a local base and remove its cached files.
      "
    `)
    expect((await runHolm(['base', '--help'])).stdout).toBe(stdout)
  })

  it('explains a command, in every way to ask for it', async () => {
    const { stdout } = await runHolm(['exec', '--help'])
    expect(stdout).toMatchInlineSnapshot(`
      "Run a program inside an environment.

      USAGE
        $ holm exec [NAME] [FLAGS] -- COMMAND…

      ARGUMENTS
        [NAME]  Environment; absent: the one of the current folder or its nearest parent that has one.

      FLAGS
        -u, --user=<value>     Run as this user: a name or id, optionally with ":group".
        -w, --workdir=<value>  Run in this folder of the environment.
        -e, --env=<value>...   Set NAME=value; NAME alone passes the value on. Repeatable.
        -t, --tty              Give the program a pty even when this is no terminal.
        -T, --no-tty           Give it no pty.
        -i, --interactive      Read stdin from a terminal even without a pty.

      GLOBAL FLAGS
        -q, --quiet     Print the result only: no progress, no hints.
        -v, --verbose   Show reasons, output of steps and causes of errors.
            --json      Print one JSON document on stdout, also for errors.
            --no-color  Print without colours.
        -h, --help      Show this help.

      DESCRIPTION
        Streams pass byte for byte, signals are forwarded, and the exit code is the program's own. On a
        terminal the program gets a pty. Words are passed as they are; where a shell is wanted, name it:
        holm exec -- sh -c "…".

      EXAMPLES
        Run the tests in the environment of this folder.

          $ holm exec -- npm test

        Use a shell inside a named environment.

          $ holm exec web -- sh -c "ps aux | head"

        Pipe bytes in.

          tar c src | holm exec -- tar x -C /tmp
      "
    `)
    expect((await runHolm(['help', 'exec'])).stdout).toBe(stdout)
    expect((await runHolm(['exec', 'web', '-h'])).stdout).toBe(stdout)
  })

  it('is data with --json', async () => {
    const { stdout } = await runHolm(['up', '--help', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      id: 'up',
      flags: { provider: { char: 'p', completes: 'provider' } },
    })
  })

  it('never runs a text of a manifest as a template', async () => {
    const text = '<%= process.exit(1) %>'
    const table = {
      id: 'evil',
      summary: text,
      description: text,
      examples: [{ command: text, description: text }],
    }
    const page = await renderCommandHelp(table, { width: 80, style: createStyle(false), colors: false })
    expect(page.match(/<%= process\.exit\(1\) %>/g)).toHaveLength(4)
  })
})

describe('every command', () => {
  const visible = builtins.filter(({ hidden }) => !hidden)

  it.each(visible.map((command) => [command.id, command] as const))(
    '%s has help with an example',
    async (id, command) => {
      const { stdout, code } = await runHolm([...id.split(' '), '--help'])
      expect(code).toBe(0)
      expect(stdout).toContain(`$ holm ${id}`)
      expect(stdout).toContain('EXAMPLES')
      expect(stdout).toContain('--json')
      expect(command.summary).toMatch(/^[A-Za-z].*\.$/)
      expect(command.examples.length).toBeGreaterThan(0)
    },
  )

  it.each(visible.map((command) => [command.id, command] as const))(
    '%s has flags that do not collide',
    (_id, { flags = {} }) => {
      const chars = Object.values(flags).flatMap(({ char }) => (char === undefined ? [] : [char]))
      expect(new Set([...chars, 'q', 'v', 'h']).size).toBe(chars.length + 3)
      expect(Object.keys(flags)).not.toEqual(expect.arrayContaining(['json']))
    },
  )
})
