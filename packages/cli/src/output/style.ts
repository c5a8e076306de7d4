import { styleText } from 'node:util'

export type Paint = (text: string) => string

/** Colours by meaning, so that no other file names one. */
export interface Style {
  readonly heading: Paint
  readonly strong: Paint
  readonly faint: Paint
  readonly good: Paint
  readonly bad: Paint
  readonly caution: Paint
  readonly accent: Paint
}

const plain: Paint = (text) => text

/** Without colours every paint returns its text. */
export function createStyle(colors: boolean): Style {
  const paint = (format: Parameters<typeof styleText>[0]): Paint =>
    colors ? (text) => styleText(format, text, { validateStream: false }) : plain
  return {
    heading: paint('bold'),
    strong: paint('bold'),
    faint: paint('dim'),
    good: paint('green'),
    bad: paint(['bold', 'red']),
    caution: paint('yellow'),
    accent: paint('cyan'),
  }
}

export interface ColorQuestion {
  readonly isTerminal: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** `--no-color` was given. */
  readonly forbidden: boolean
}

/** NO_COLOR (any non-empty value) and --no-color win, then FORCE_COLOR; CI logs and pipes get no colours. */
export function wantsColor({ isTerminal, env, forbidden }: ColorQuestion): boolean {
  if (forbidden || env['NO_COLOR'] || env['TERM'] === 'dumb') return false
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return isTerminal && !isContinuousIntegration(env)
}

export function isContinuousIntegration(env: Readonly<Record<string, string | undefined>>): boolean {
  const value = env['CI']
  return value !== undefined && value !== '' && value !== '0' && value !== 'false'
}
