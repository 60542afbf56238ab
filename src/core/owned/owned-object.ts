// A batch or a file that Claude keeps for a tenant: whose it is, and at which account.

export interface OwnedObject {
  readonly id: string
  readonly kind: OwnedKind
  readonly tenant: string
  readonly account: string
  /** Who made it, for the bill. */
  readonly key: string
  readonly user: string
  readonly createdAt: number
  /** Null: it does not expire. */
  readonly expiresAt: number | null
  /** Claude's own JSON, as it was last seen. */
  readonly shown: string
  /** It changes no more. */
  readonly isFinal: boolean
}

export type OwnedKind = 'batch' | 'file'

/** What is known of an object from Claude's own JSON of it; null: that is none. */
export interface SeenObject {
  readonly id: string
  readonly shown: string
  readonly isFinal: boolean
  readonly hasEnded: boolean
  readonly expiresAt: number | null
}

const ID: Readonly<Record<OwnedKind, RegExp>> = {
  batch: /^msgbatch_[A-Za-z0-9_-]{1,128}$/,
  file: /^file_[A-Za-z0-9_-]{1,128}$/,
}

export const isOwnedId = (kind: OwnedKind, id: string): boolean => ID[kind].test(id)

export function readSeen(kind: OwnedKind, json: string): SeenObject | null {
  const fields = parseFields(json)
  const { id, processing_status: status, expires_at: expires } = fields
  if (typeof id !== 'string' || !isOwnedId(kind, id)) return null
  const hasEnded = kind === 'batch' && status === 'ended'
  const expiresAt = kind === 'file' && typeof expires === 'string' ? Date.parse(expires) : NaN
  return {
    id,
    shown: json,
    isFinal: kind === 'file' || hasEnded,
    hasEnded,
    expiresAt: Number.isNaN(expiresAt) ? null : expiresAt,
  }
}

function parseFields(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

const RESULTS_URL = /("results_url"\s*:\s*)"(?:[^"\\]|\\.)*"/

/**
 * The address at which the tenant reads the results: SDKs follow it with their key, which must not go to Claude. Nothing
 * else of Claude's text is touched.
 */
export const rewriteResultsUrl = (json: string, id: string, origin: string): string =>
  json.replace(RESULTS_URL, (_, name: string) => {
    return `${name}${JSON.stringify(`${origin}/v1/messages/batches/${id}/results`)}`
  })
