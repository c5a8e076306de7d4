export { sanitize } from '@holm/core/host'

/** Neutralises control characters and redacts secrets; what every text from outside goes through before it is printed. */
export type Sanitize = (text: string) => string
