/** One connection: whole messages of text in both directions. */
export interface Transport {
  send(text: string): void
  close(): void
}

export interface TransportEvents {
  message(text: string): void
  /** Once, when nothing will come any more. */
  closed(reason: string): void
}

/** Opens a connection that has shown its token. A HolmRemoteError when it cannot be had. */
export type OpenTransport = (events: TransportEvents) => Promise<Transport>
