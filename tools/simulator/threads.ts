// Message threads: conversations that the organization's account holds for five minutes, so that a
// turn sends only what is new. Each reply may be continued once.
import { invalid, notFound, type ApiError } from './api-error.ts'
import { isObject, type JsonObject } from './json.ts'
import type { Block, ChatMessage, MessagesRequest } from './request-types.ts'
import { checkToolPairs } from './validate-messages.ts'

const THREAD_LIMIT = 5_000
/** Request fields that cannot go with a thread. */
const UNSUPPORTED = ['context_management', 'fallbacks']
const CREATE_ONLY = ['system', 'tools'] as const

interface Thread {
  request: Pick<MessagesRequest, 'system' | 'tools' | 'model'>
  messages: ChatMessage[]
  expiresAtMs: number
  state: 'open' | 'in_flight' | 'continued'
}

/** A turn of a thread: the whole conversation, and what to do when its answer is done. */
export interface ThreadTurn {
  request: MessagesRequest
  /** The answer is complete and is held under its id. */
  keep(id: string, content: JsonObject[]): void
  /** It is not; the reply before can be continued again. */
  drop(): void
}

export class ThreadStore {
  #threads = new Map<string, Thread>()
  #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  clear(): void {
    this.#threads.clear()
  }

  open(org: string, request: MessagesRequest, ttlMs: number): ThreadTurn {
    checkSupported(request)
    const { thread, ...rest } = request
    if (!isObject(thread) || (thread.type !== 'create' && thread.type !== 'continue')) {
      throw invalid("thread.type: Input should be 'create' or 'continue'")
    }
    if (thread.type === 'create')
      return this.#turn(org, { request: rest, ttlMs, before: undefined })
    const id = thread.previous_message_id
    if (typeof id !== 'string') throw invalid('thread.continue.previous_message_id: Field required')
    const before = this.#find(org, id)
    const joined = join(before, rest)
    checkToolPairs(joined.messages)
    before.state = 'in_flight'
    return this.#turn(org, { request: joined, ttlMs, before })
  }

  #find(org: string, id: string): Thread {
    const thread = this.#threads.get(`${org}|${id}`)
    if (thread === undefined || thread.expiresAtMs <= this.#now()) throw threadNotFound(id)
    if (thread.state === 'in_flight') {
      throw invalid('Another request is still continuing from this message.', {
        error_code: 'thread_continue_in_flight',
      })
    }
    if (thread.state === 'continued') {
      throw invalid('This message has already been continued.', {
        error_code: 'thread_already_continued',
      })
    }
    return thread
  }

  #turn(
    org: string,
    turn: { request: MessagesRequest; ttlMs: number; before: Thread | undefined },
  ): ThreadTurn {
    const { request, ttlMs, before } = turn
    return {
      request,
      keep: (id, content) => {
        const reply: ChatMessage = { role: 'assistant', content: content as Block[] }
        // A warmed cache has an answer without content, and there is nothing to continue from.
        const messages = content.length > 0 ? [...request.messages, reply] : request.messages
        if (before !== undefined) before.state = 'continued'
        this.#put(`${org}|${id}`, {
          request,
          messages,
          expiresAtMs: this.#now() + ttlMs,
          state: 'open',
        })
      },
      drop: () => {
        if (before?.state === 'in_flight') before.state = 'open'
      },
    }
  }

  #put(key: string, thread: Thread): void {
    this.#threads.set(key, thread)
    if (this.#threads.size <= THREAD_LIMIT) return
    const oldest = this.#threads.keys().next()
    if (oldest.done !== true) this.#threads.delete(oldest.value)
  }
}

export function threadNotFound(id: string): ApiError {
  return notFound(`No usable thread state was found for message ${id}.`, {
    error_code: 'thread_not_found',
  })
}

export function threadUnsupported(unsupported: string[]): ApiError {
  return invalid('This request cannot be used with a thread.', {
    error_code: 'thread_unsupported_request',
    unsupported,
  })
}

function checkSupported(request: MessagesRequest): void {
  const found = UNSUPPORTED.filter((field) => request[field] !== undefined)
  if (found.length > 0) throw threadUnsupported(found)
}

function join(before: Thread, turn: MessagesRequest): MessagesRequest {
  for (const field of CREATE_ONLY) {
    if (turn[field] !== undefined) {
      throw invalid(`${field}: cannot be set when continuing a thread; it is taken from the thread`)
    }
  }
  if (turn.model !== before.request.model) {
    throw invalid('model: must stay the same across the turns of a thread', {
      error_code: 'thread_fingerprint_mismatch',
    })
  }
  const { system, tools } = before.request
  return {
    ...turn,
    messages: [...before.messages, ...turn.messages],
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools }),
  }
}
