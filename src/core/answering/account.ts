// Our credential to Claude: one organization or workspace. Made from the settings.

export interface Account {
  readonly id: string
  readonly apiKey: string
  readonly baseUrl: string
  readonly weight: number
  readonly maxConcurrent: number
  readonly minConcurrent: number
  readonly backup: boolean
  /** Globs of the models that it serves. */
  readonly models: readonly string[]
  readonly locationHint: string | null
}
