// Runs inside the page: Claude's SDK as a web app would use it. The test calls these by name.
import Anthropic from '@anthropic-ai/sdk'

interface Access {
  readonly baseURL: string
  readonly apiKey: string
}

export interface StreamReport {
  readonly pieces: readonly string[]
  readonly text: string
  readonly outputTokens: number
}

export interface ErrorReport {
  readonly kind: string
  readonly status: number | null
  readonly reason: string | null
  readonly message: string
}

const clientOf = (access: Access) =>
  new Anthropic({ ...access, dangerouslyAllowBrowser: true, maxRetries: 0 })

const ask = (content: string, maxTokens = 200) => ({
  model: 'claude-sonnet-5-5',
  max_tokens: maxTokens,
  messages: [{ role: 'user' as const, content }],
})

const page = {
  async stream(access: Access, content: string, tag = 'page'): Promise<StreamReport> {
    const pieces: string[] = []
    const headers = { 'anthropic-sim-tag': tag }
    const stream = clientOf(access).messages.stream(ask(content), { headers })
    stream.on('text', (piece) => void pieces.push(piece))
    const message = await stream.finalMessage()
    return {
      pieces,
      text: await stream.finalText(),
      outputTokens: message.usage.output_tokens,
    }
  },

  async readHeaders(access: Access, names: readonly string[]) {
    const { response } = await clientOf(access).messages.create(ask('Hello')).withResponse()
    return Object.fromEntries(names.map((name) => [name, response.headers.get(name)]))
  },

  /** What the SDK raises where an answer was not to be had. */
  async fail(access: Access): Promise<ErrorReport | null> {
    try {
      await clientOf(access).messages.create(ask('Hello'))
      return null
    } catch (error) {
      const { name, message } = error as Error
      const isApiError = error instanceof Anthropic.APIError
      return {
        kind: isApiError ? error.constructor.name : name,
        status: isApiError ? (error.status ?? null) : null,
        reason: isApiError ? (error.headers?.get('sluice-reason') ?? null) : null,
        message,
      }
    }
  },

  /** Leaves in the middle of a long answer. */
  async leave(access: Access, tag: string): Promise<string> {
    const stream = clientOf(access).messages.stream(ask('[sim:tokens=2000][sim:gap=20]', 4_000), {
      headers: { 'anthropic-sim-tag': tag },
    })
    await new Promise<void>((resolve) => stream.once('text', () => resolve()))
    stream.abort()
    return stream.done().then(
      () => 'ended',
      (error: unknown) => (error instanceof Anthropic.APIUserAbortError ? 'aborted' : 'failed'),
    )
  },
}

export type Page = typeof page

Object.assign(globalThis, { page })
