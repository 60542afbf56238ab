// The parts of a Messages request that the simulator acts on. A value of these types has passed
// validation; everything else in the body stays as the caller wrote it.
import type { JsonObject } from './json.ts'

export type Block = JsonObject & { type: string }

export interface ChatMessage {
  role: 'user' | 'assistant' | 'system'
  content: string | Block[]
}

export interface MessagesRequest extends JsonObject {
  model: string
  max_tokens: number
  messages: ChatMessage[]
  system?: string | Block[]
  tools?: JsonObject[]
  tool_choice?: { type: string; name?: string; disable_parallel_tool_use?: boolean }
  stream?: boolean
  stop_sequences?: string[]
  thinking?: { type: string; budget_tokens?: number; display?: string }
  output_config?: { format?: { type: string; schema?: JsonObject } | null }
  cache_control?: JsonObject | null
  thread?: { type: 'create' | 'continue'; previous_message_id?: string } | null
}

export function blocksOf(content: string | Block[]): Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}
