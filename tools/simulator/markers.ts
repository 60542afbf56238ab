// Markers in the last user message that steer the answer, so that a test can ask for exactly what it
// needs: `[sim:text=Hello]`, `[sim:tokens=200]`, `[sim:tool]`. docs/SIMULATOR.md lists them.
import { blocksOf, type ChatMessage } from './request-types.ts'

export interface Markers {
  text?: string
  tokens?: number
  tool?: string
  refuse?: boolean
  thinking?: boolean
  redacted?: boolean
  pause?: boolean
  stop?: boolean
  cite?: boolean
  /** Milliseconds between deltas, whatever the latency model says. */
  gapMs?: number
  /** Exactly so many text deltas. */
  deltas?: number
  /** Each text delta carries the time of its writing, to measure lag. */
  stamp?: boolean
}

const MARKER = /\[sim:([a-z]+)(?:=([^\]]*))?\]/g

export function readMarkers(prompt: string): Markers {
  const markers: Markers = {}
  if (!prompt.includes('[sim:')) return markers
  for (const [, name, value = ''] of prompt.matchAll(MARKER)) set(markers, name ?? '', value)
  return markers
}

/** The text of the last user message, tool results left out. */
export function lastPrompt(messages: readonly ChatMessage[]): string {
  const last = messages.findLast((message) => message.role === 'user')
  if (last === undefined) return ''
  if (typeof last.content === 'string') return last.content
  const texts = blocksOf(last.content).filter((block) => block.type === 'text')
  return texts.map((block) => String(block['text'])).join('\n')
}

function set(markers: Markers, name: string, value: string): void {
  switch (name) {
    case 'text':
      markers.text = value.replaceAll('\\n', '\n')
      break
    case 'tokens':
      markers.tokens = wholeNumber(value)
      break
    case 'tool':
      markers.tool = value
      break
    case 'gap':
      markers.gapMs = Number(value) || 0
      break
    case 'deltas':
      markers.deltas = wholeNumber(value)
      break
    case 'refuse':
    case 'thinking':
    case 'redacted':
    case 'pause':
    case 'stop':
    case 'cite':
    case 'stamp':
      markers[name] = true
      break
    default:
      break
  }
}

function wholeNumber(text: string): number {
  const value = Math.floor(Number(text))
  return Number.isFinite(value) && value >= 0 ? value : 0
}
