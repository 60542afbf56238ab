// The models that the simulator knows, with what differs between them: pace, least prompt-cache
// prefix, and the class whose rate limits they share.
export interface Pace {
  /** Median time to the first token, in milliseconds. */
  firstTokenMs: number
  tokensPerSecond: number
}

export interface Model {
  id: string
  displayName: string
  line: string
  /** Models of one class share one set of rate-limit buckets. */
  modelClass: string
  createdAt: string
  lifecycle: 'active' | 'deprecated'
  maxInputTokens: number
  maxOutputTokens: number
  leastCacheTokens: number
  pace: Pace
}

const PACE: Record<string, Pace> = {
  haiku: { firstTokenMs: 500, tokensPerSecond: 150 },
  sonnet: { firstTokenMs: 1_200, tokensPerSecond: 70 },
  opus: { firstTokenMs: 2_000, tokensPerSecond: 55 },
  fable: { firstTokenMs: 2_000, tokensPerSecond: 55 },
  mythos: { firstTokenMs: 2_000, tokensPerSecond: 55 },
}

// id, created, least cache prefix, input window; newest first, as the API lists them.
const ROWS: [string, string, number, number][] = [
  ['claude-fable-5-2', '2026-10-20', 512, 1_000_000],
  ['claude-mythos-5-2', '2026-10-20', 512, 1_000_000],
  ['claude-haiku-5-5', '2026-09-15', 2048, 1_000_000],
  ['claude-sonnet-5-5', '2026-09-01', 1024, 1_000_000],
  ['claude-opus-5-5', '2026-08-10', 1024, 1_000_000],
  ['claude-fable-5-1', '2026-07-20', 512, 1_000_000],
  ['claude-mythos-5-1', '2026-07-20', 512, 1_000_000],
  ['claude-sonnet-5', '2026-06-15', 1024, 1_000_000],
  ['claude-fable-5', '2026-06-01', 512, 1_000_000],
  ['claude-opus-5', '2026-05-20', 1024, 1_000_000],
  ['claude-opus-4-8', '2026-04-28', 4096, 1_000_000],
  ['claude-opus-4-7', '2026-04-14', 4096, 1_000_000],
  ['claude-sonnet-4-6', '2026-02-17', 1024, 1_000_000],
  ['claude-opus-4-6', '2026-02-04', 4096, 1_000_000],
  ['claude-opus-4-5', '2025-11-24', 4096, 200_000],
  ['claude-opus-4-5-20251101', '2025-11-24', 4096, 200_000],
  ['claude-haiku-4-5', '2025-10-15', 4096, 200_000],
  ['claude-haiku-4-5-20251001', '2025-10-15', 4096, 200_000],
  ['claude-sonnet-4-5', '2025-09-29', 1024, 200_000],
  ['claude-sonnet-4-5-20250929', '2025-09-29', 1024, 200_000],
]

export const MODELS: readonly Model[] = ROWS.map(([id, created, leastCacheTokens, window]) =>
  describe(id, created, { leastCacheTokens, window }),
)

const BY_ID = new Map(MODELS.map((model) => [model.id, model]))

export function findModel(id: string): Model | undefined {
  return BY_ID.get(id)
}

function describe(
  id: string,
  created: string,
  sizes: { leastCacheTokens: number; window: number },
): Model {
  const [, line = '', major = '', minor] = id.split('-')
  const version = minor !== undefined && minor.length < 3 ? `${major}.${minor}` : major
  return {
    id,
    displayName: `Claude ${line.charAt(0).toUpperCase()}${line.slice(1)} ${version}`,
    line,
    modelClass: `${line}-${major}`,
    createdAt: `${created}T00:00:00Z`,
    lifecycle: Number(major) < 5 ? 'deprecated' : 'active',
    maxInputTokens: sizes.window,
    maxOutputTokens: Number(major) < 5 && line !== 'opus' ? 64_000 : 128_000,
    leastCacheTokens: sizes.leastCacheTokens,
    pace: PACE[line] ?? { firstTokenMs: 1_000, tokensPerSecond: 70 },
  }
}
