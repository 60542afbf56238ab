// Claude's prompt cache: prefixes by their exact content, in the order tools, system, messages, kept
// apart by workspace and model. An entry can be read only after the answer that writes it has begun.
import { hash } from 'node:crypto'
import { isObject, type JsonObject } from './json.ts'
import type { Model } from './models.ts'
import { blocksOf, type Block, type MessagesRequest } from './request-types.ts'
import { countBlockTokens, countInputTokens, countTool, withoutMarker } from './tokens.ts'

const TTL_MS = { '5m': 300_000, '1h': 3_600_000 } as const
type Ttl = keyof typeof TTL_MS
/** How many blocks before a marker are tried for a shorter prefix. */
const LOOK_BACK = 20
const ENTRY_LIMIT = 50_000

export interface InputUsage {
  input_tokens: number
  cache_creation_input_tokens: number
  cache_read_input_tokens: number
  cache_creation: { ephemeral_5m_input_tokens: number; ephemeral_1h_input_tokens: number }
}

export interface CachePlan {
  usage: InputUsage
  /** Makes what this request wrote readable, and refreshes what it read. Call when the answer begins. */
  commit(): void
}

interface Segment {
  hash: string
  /** Tokens of everything up to and with this segment. */
  tokens: number
  ttl: Ttl | undefined
}

interface Entry {
  ttl: Ttl
  expiresAtMs: number
}

export class PromptCache {
  #entries = new Map<string, Entry>()
  #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#entries.size
  }

  clear(): void {
    this.#entries.clear()
  }

  plan(workspaceId: string, model: Model, request: MessagesRequest): CachePlan {
    const total = countInputTokens(request)
    if (!hasMarkers(request))
      return { usage: usageOf(total, 0, { m5: 0, h1: 0 }), commit: () => {} }
    const segments = segmentsOf(`${workspaceId}|${model.id}`, request)
    const markers = segments.filter(
      (segment) => segment.ttl !== undefined && segment.tokens >= model.leastCacheTokens,
    )
    const read = this.#longestHit(segments, model.leastCacheTokens)
    const readTokens = read?.tokens ?? 0
    const fresh = markers.filter((segment) => segment.tokens > readTokens)
    const written = splitByTtl(fresh, readTokens)
    return {
      usage: usageOf(total, readTokens, written),
      commit: () => this.#commit(read, [...markers]),
    }
  }

  #longestHit(segments: Segment[], least: number): Segment | undefined {
    const now = this.#now()
    const tried = new Set<number>()
    for (let at = segments.length - 1; at >= 0; at--) {
      if (segments[at]?.ttl === undefined) continue
      for (let back = at; back > at - LOOK_BACK && back >= 0; back--) {
        const segment = segments[back]
        if (segment === undefined || tried.has(back)) continue
        tried.add(back)
        if (segment.tokens < least) break
        const entry = this.#entries.get(segment.hash)
        if (entry !== undefined && entry.expiresAtMs > now) return segment
      }
    }
    return undefined
  }

  #commit(read: Segment | undefined, written: Segment[]): void {
    const now = this.#now()
    const hit = read === undefined ? undefined : this.#entries.get(read.hash)
    if (read !== undefined && hit !== undefined) this.#put(read.hash, hit.ttl, now)
    for (const segment of written) this.#put(segment.hash, segment.ttl ?? '5m', now)
    this.#bound(now)
  }

  #put(key: string, ttl: Ttl, now: number): void {
    const old = this.#entries.get(key)
    const kept = old !== undefined && old.expiresAtMs > now && old.ttl === '1h' ? '1h' : ttl
    this.#entries.delete(key)
    this.#entries.set(key, { ttl: kept, expiresAtMs: now + TTL_MS[kept] })
  }

  #bound(now: number): void {
    if (this.#entries.size <= ENTRY_LIMIT) return
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAtMs <= now) this.#entries.delete(key)
    }
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= ENTRY_LIMIT) break
      this.#entries.delete(key)
    }
  }
}

/** The markers of a request, the top-level one included. */
export function countMarkers(request: JsonObject): number {
  let count = isObject(request['cache_control']) ? 1 : 0
  const lists: unknown[] = [request['tools'], request['system']]
  if (Array.isArray(request['messages'])) {
    for (const message of request['messages']) if (isObject(message)) lists.push(message['content'])
  }
  for (const list of lists) count += markersIn(list)
  return count
}

function markersIn(list: unknown): number {
  if (!Array.isArray(list)) return 0
  let count = 0
  for (const item of list) {
    if (!isObject(item)) continue
    if (isObject(item['cache_control'])) count++
    if (item['type'] === 'tool_result') count += markersIn(item['content'])
  }
  return count
}

function hasMarkers(request: MessagesRequest): boolean {
  return countMarkers(request) > 0
}

function segmentsOf(scope: string, request: MessagesRequest): Segment[] {
  const segments: Segment[] = []
  let prefix = scope
  let tokens = 0
  const add = (role: string, value: JsonObject, cost: number) => {
    tokens += cost
    prefix = hash('sha256', `${prefix}\n${role}\n${JSON.stringify(withoutMarker(value))}`, 'base64')
    segments.push({ hash: prefix, tokens, ttl: ttlOf(value) })
  }
  for (const tool of request.tools ?? []) add('tool', tool, countTool(tool))
  for (const block of blocksOf(request.system ?? [])) add('system', block, countBlockTokens(block))
  for (const message of request.messages) {
    for (const block of blocksOf(message.content)) add(message.role, block, countBlockTokens(block))
  }
  const last = segments.at(-1)
  if (last !== undefined && isObject(request.cache_control)) {
    last.ttl ??= ttlOfControl(request.cache_control)
  }
  return segments
}

function ttlOf(value: JsonObject): Ttl | undefined {
  if (isObject(value['cache_control'])) return ttlOfControl(value['cache_control'])
  const nested = value['type'] === 'tool_result' ? value['content'] : undefined
  if (!Array.isArray(nested)) return undefined
  const marked = nested.findLast((block: Block) => isObject(block['cache_control'])) as
    | Block
    | undefined
  return marked === undefined ? undefined : ttlOf(marked)
}

function ttlOfControl(control: JsonObject): Ttl {
  return control['ttl'] === '1h' ? '1h' : '5m'
}

/** Tokens up to the last one-hour marker are written for an hour, the rest for five minutes. */
function splitByTtl(fresh: Segment[], readTokens: number): { m5: number; h1: number } {
  const lastHour = fresh.findLast((segment) => segment.ttl === '1h')
  const h1 = lastHour === undefined ? 0 : lastHour.tokens - readTokens
  const m5 = (fresh.at(-1)?.tokens ?? readTokens) - readTokens - h1
  return { m5, h1 }
}

function usageOf(total: number, read: number, written: { m5: number; h1: number }): InputUsage {
  return {
    input_tokens: total - read - written.m5 - written.h1,
    cache_creation_input_tokens: written.m5 + written.h1,
    cache_read_input_tokens: read,
    cache_creation: {
      ephemeral_5m_input_tokens: written.m5,
      ephemeral_1h_input_tokens: written.h1,
    },
  }
}
