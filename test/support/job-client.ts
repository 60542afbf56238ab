// Jobs as a tenant's program handles them: sent, waited for, canceled.
import { MODEL } from './claude-call.ts'
import { eventually } from './eventually.ts'

export interface ShownJob {
  readonly id: string
  readonly status: string
  readonly lane: string
  readonly mode: string
  readonly attempts: number
  readonly cost_usd: number
  readonly result?: { readonly content: readonly { readonly text: string }[] }
  readonly usage?: Readonly<Record<string, unknown>>
  readonly error?: { readonly type: string; readonly message: string }
  readonly [field: string]: unknown
}

export interface JobOptions {
  readonly prompt?: string
  readonly tag?: string
  readonly fault?: string
  readonly request?: Readonly<Record<string, unknown>>
  /** Fields beside the request. */
  readonly fields?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answered<T> {
  readonly status: number
  readonly headers: Headers
  readonly body: T
}

const ENDED = ['succeeded', 'failed', 'canceled', 'expired']

export const jobClient = (url: string, key: string) => {
  const ask = async <T>(
    path: string,
    init: Omit<RequestInit, 'headers'> & { headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Answered<T>> => {
    const answer = await fetch(`${url}${path}`, {
      ...init,
      headers: {
        'x-api-key': key,
        'content-type': 'application/json',
        ...init.headers,
      },
    })
    const body = (await answer.json()) as T
    return { status: answer.status, headers: answer.headers, body }
  }
  const read = async (id: string): Promise<ShownJob> => (await ask<ShownJob>(`/v1/jobs/${id}`)).body
  const send = async (options: JobOptions = {}): Promise<Answered<ShownJob>> => {
    const { prompt = 'Hello', tag, fault, request, fields, headers } = options
    return ask<ShownJob>('/v1/jobs', {
      method: 'POST',
      headers: {
        ...(tag === undefined ? {} : { 'anthropic-sim-tag': tag }),
        ...(fault === undefined ? {} : { 'anthropic-sim-fault': fault }),
        ...headers,
      },
      body: JSON.stringify({
        request: {
          model: MODEL,
          max_tokens: 64,
          messages: [{ role: 'user', content: prompt }],
          ...request,
        },
        ...fields,
      }),
    })
  }
  return {
    ask,
    read,
    send,
    list: (query = '') =>
      ask<{ data: ShownJob[]; has_more: boolean; next_page: string | null }>(`/v1/jobs${query}`),
    cancel: (id: string) => ask<ShownJob>(`/v1/jobs/${id}`, { method: 'DELETE' }),
    ended: (id: string, withinMs = 20_000): Promise<ShownJob> =>
      eventually(
        () => read(id),
        ({ status }) => ENDED.includes(status),
        { withinMs, everyMs: 50 },
      ),
  }
}
