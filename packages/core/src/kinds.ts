/**
 * Kinds whose contracts come with their first two real implementations (docs/adr). Until then a plugin of such a kind
 * can be discovered, listed and loaded; what it provides is an object with an id.
 */
interface Identified {
  readonly id: string
}

/** Connects nodes. */
export type Mesh = Identified
/** Answers prompts. */
export type AiBackend = Identified
/** Connects a coding agent's client. */
export type EditorIntegration = Identified
