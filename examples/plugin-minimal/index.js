import { HolmError, definePlugin } from '@holm/core'

/** What the command of package.json does; tables for help and completion stay there, so that help imports nothing. */
const command = {
  id: 'hello greet',
  summary: 'Greet somebody.',
  args: [{ name: 'who', description: 'Whom to greet.', required: true }],
  flags: { loud: { type: /** @type {const} */ ('boolean'), description: 'Greet in capitals.' } },
  examples: [{ command: 'holm hello greet Ada', description: 'Say hello to Ada.' }],
}

/**
 * The plugin's own logic: a plain function, tested without holm.
 * @param {string} who
 * @param {{ loud?: boolean }} [options]
 */
export function createGreeting(who, { loud = false } = {}) {
  if (who.trim() === '') throw new HolmError('HOLM_USAGE', 'nobody to greet', { hint: 'Name somebody.' })
  const greeting = `Hello, ${who}!`
  return loud ? greeting.toUpperCase() : greeting
}

export default definePlugin({
  name: 'holm-plugin-minimal',
  contract: 1,
  setup(api) {
    // A command: gets parsed input, returns what is to be shown. `data` is its --json.
    api.command({
      ...command,
      async run({ args, flags }) {
        const greeting = createGreeting(args.who ?? '', { loud: flags.loud === true })
        return { data: { greeting }, text: greeting }
      },
    })

    // A hook: every environment made while this plugin is installed has GREETING set. A `resolve…` tap returns the value.
    api.hook('resolveSpec', (spec) => ({
      ...spec,
      env: { GREETING: createGreeting(spec.name), ...spec.env },
    }))

    // A host method: `await host.methods.helloGreeting('Ada')` for other plugins and programs.
    api.method('helloGreeting', (_host, /** @type {string} */ who) => createGreeting(who))
  },
})
