/**
 * What tools, files and people hand us is cleaned before it is printed, logged or stored: first control characters
 * (a terminal would obey them), then secrets.
 */

// Everything below space but tab and newline, DEL, the C1 range, and the bidirectional overrides.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what this looks for
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g
// A whole terminal sequence is dropped, so that "\x1b[31mred" reads "red" and not "[31mred".
// oxlint-disable-next-line no-control-regex -- as above
const terminalSequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g

const urlCredentials = /([a-z][a-z0-9+.-]*:\/\/)[^\s/:@]*:[^\s/@]+@/gi
const namedSecrets =
  /\b([\w-]*(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|auth)\b["']?\s*[=:]\s*["']?)([^\s"',;&]{3,})/gi
const bearer = /\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi
const knownTokens =
  /\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|glpat-[\w-]{16,})\b/g

const mask = '***'

/** Removes terminal sequences and control characters; newlines and tabs stay, carriage returns become newlines. */
export function neutralise(text: string): string {
  return text.replace(terminalSequences, '').replace(/\r\n?/g, '\n').replace(controlCharacters, '')
}

/** Masks credentials in URLs, values named like secrets, bearer tokens and tokens of known form. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let result = text
  for (const secret of secrets) if (secret.length >= 4) result = result.replaceAll(secret, mask)
  return result
    .replace(urlCredentials, `$1${mask}@`)
    .replace(bearer, `$1 ${mask}`)
    .replace(namedSecrets, `$1${mask}`)
    .replace(knownTokens, mask)
}

/** Both, in the order that a hidden control character cannot defeat. */
export function sanitize(text: string, secrets: Iterable<string> = []): string {
  return redact(neutralise(text), secrets)
}
