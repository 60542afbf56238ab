// Counts a stream while its bytes pass: which events came, what they say of usage, whether it is complete.
import { type SseEvent, SseScanner } from '../core/answering/sse.ts'
import {
  estimateOutput,
  fieldsOf,
  none,
  producedBytesOf,
  readOpenAiUsage,
  readUsage,
  tokensOfBytes,
  type Usage,
  utf8Length,
} from '../core/answering/usage.ts'
import type { CallKind } from './call.ts'

export interface Meter {
  push(chunk: Uint8Array): void
  /** Complete events so far. */
  readonly events: number
  readonly isComplete: boolean
  /** Something of the answer itself has come. */
  readonly hasContent: boolean
  /** The type of Claude's own `error` event; null: none came. */
  readonly errorType: string | null
  /** The data of that event, as it came. */
  readonly errorBody: Uint8Array | null
  readonly atBoundary: boolean
  /** The model that answers, which need not be the one that was asked for; null: not said yet. */
  readonly model: string | null
  /** Those of `usage`; read for every chunk, so it makes nothing new. */
  readonly outputTokens: number
  /** null where no event said anything of usage. */
  usage(): Usage | null
}

export const openMeter = (kind: CallKind): Meter =>
  kind === 'chat_completions' ? new ChatMeter() : new MessageMeter()

const decoder = new TextDecoder()

abstract class EventMeter {
  events = 0
  isComplete = false
  hasContent = false
  errorType: string | null = null
  errorBody: Uint8Array | null = null
  model: string | null = null
  protected producedBytes = 0
  readonly #scanner = new SseScanner((event) => {
    this.events += 1
    this.read(event)
  })

  get atBoundary(): boolean {
    return this.#scanner.atBoundary
  }

  push(chunk: Uint8Array): void {
    this.#scanner.push(chunk)
  }

  protected readError(data: Uint8Array | null): void {
    const error = fieldsOf(fieldsOf(parse(data))['error'])
    this.errorType = typeof error['type'] === 'string' ? error['type'] : 'api_error'
    this.errorBody = data
  }

  protected abstract read(event: SseEvent): void
}

class MessageMeter extends EventMeter implements Meter {
  #usage: Usage | null = null
  /** Claude has told its own count of what it produced. */
  #isCounted = false

  protected override read({ type, data }: SseEvent): void {
    switch (type) {
      case 'message_start': {
        const message = fieldsOf(fieldsOf(parse(data))['message'])
        this.#usage = readUsage(message['usage'])
        this.model = textOf(message['model'])
        break
      }
      case 'content_block_delta':
        this.hasContent = true
        this.producedBytes += producedBytesOf(parse(data))
        break
      case 'content_block_start':
        this.hasContent = true
        this.producedBytes += producedBytesOf(parse(data))
        break
      case 'message_delta':
        this.#usage = readUsage(fieldsOf(parse(data))['usage'], this.#usage ?? none)
        this.#isCounted = true
        break
      case 'message_stop':
        this.isComplete = true
        break
      case 'error':
        this.readError(data)
        break
    }
  }

  get outputTokens(): number {
    const counted = this.#usage?.outputTokens ?? 0
    return this.#isCounted ? counted : Math.max(counted, tokensOfBytes(this.producedBytes))
  }

  usage(): Usage | null {
    if (this.#usage === null || this.#isCounted) return this.#usage
    return estimateOutput(this.#usage, this.producedBytes)
  }
}

/** Claude's OpenAI-compatible route: data lines without a name, `[DONE]` at the end, usage only where asked for. */
class ChatMeter extends EventMeter implements Meter {
  #usage: Usage | null = null

  protected override read({ type, data }: SseEvent): void {
    const text = data === null ? '' : decoder.decode(data)
    if (text === '[DONE]') {
      this.isComplete = true
      return
    }
    const chunk = fieldsOf(parseText(text))
    if (type === 'error' || chunk['error'] !== undefined) return this.readError(data)
    this.model ??= textOf(chunk['model'])
    this.#usage = readOpenAiUsage(chunk['usage']) ?? this.#usage
    const choices = Array.isArray(chunk['choices']) ? chunk['choices'] : []
    for (const choice of choices) {
      const { content } = fieldsOf(fieldsOf(choice)['delta'])
      if (typeof content !== 'string' || content === '') continue
      this.hasContent = true
      this.producedBytes += utf8Length(content)
    }
  }

  get outputTokens(): number {
    return this.#usage?.outputTokens ?? tokensOfBytes(this.producedBytes)
  }

  usage(): Usage | null {
    return this.#usage ?? (this.hasContent ? estimateOutput(none, this.producedBytes) : null)
  }
}

const parse = (data: Uint8Array | null): unknown =>
  data === null ? null : parseText(decoder.decode(data))

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
