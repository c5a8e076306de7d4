/** placeholder */
export interface DevcontainerConfig {
  readonly name?: string
}
