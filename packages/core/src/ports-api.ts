/** A port of this machine that a running program has, for something inside an environment. JSON-safe. */
export interface PortLease {
  readonly port: number
  readonly environment: string
  /** What it leads to inside. */
  readonly container: number
  /** ISO 8601. */
  readonly since: string
}

export interface LeaseRequest {
  readonly environment: string
  readonly container: number
  /** This one and no other; absent: a free one of `ports.first` to `ports.last`, the same as before where it can be. */
  readonly port?: number
}

export interface HeldPort {
  readonly port: number
  /** Can be repeated. */
  release(): Promise<void>
}

/** Ports of this machine (127.0.0.1) that belong to programs, not to environments. */
export interface PortsApi {
  /**
   * Takes a port that no environment, running or stopped, and no living program of any holm of this namespace has. It can be
   * bound at that moment. The lease ends with `release`, or with this process. HOLM_PORT_TAKEN.
   */
  lease(request: LeaseRequest): Promise<HeldPort>
  leases(): readonly PortLease[]
}
