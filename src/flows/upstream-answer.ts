// Claude's answer beside its body, as plain values: the platform's headers are read once, since each question to them
// costs more than the rest of what is done with it.

export interface UpstreamAnswer {
  readonly status: number
  /** By name in lower case; repeated ones joined, but for `set-cookie`, which nobody here wants. */
  readonly headers: ReadonlyMap<string, string>
}

export const readAnswer = ({ status, headers }: Response): UpstreamAnswer => ({
  status,
  headers: new Map(headers),
})

export const contentTypeOf = ({ headers }: UpstreamAnswer): string =>
  (headers.get('content-type') ?? '').toLowerCase()
