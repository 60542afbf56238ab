// Plausible text by a word chain learned from a small corpus, seeded and led by words of the prompt.
// It is never one constant, and the same seed and prompt always give the same text.
import { COMMON_WORDS, CORPUS, FALLBACK_TOPICS } from './corpus.ts'
import type { Random } from './random.ts'
import { BYTES_PER_TOKEN, cutToTokens } from './tokens.ts'

const SENTENCE_WORDS = 32
const TOPIC_SCAN = 2_000
const OPENERS: string[] = []
const FOLLOWERS = new Map<string, string[]>()

for (const sentence of CORPUS) {
  const words = sentence.split(' ')
  OPENERS.push(words[0] ?? 'The')
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    const followers = FOLLOWERS.get(word) ?? []
    followers.push(words[i + 1] ?? '')
    FOLLOWERS.set(word, followers)
  }
}

/** Exactly `tokens` tokens long. */
export function textOfTokens(random: Random, prompt: string, tokens: number): string {
  if (tokens <= 0) return ''
  return cutToTokens(compose(random, prompt, tokens * BYTES_PER_TOKEN + 1), tokens)
}

/** About `tokens` tokens, ending with a whole sentence. */
export function textAbout(random: Random, prompt: string, tokens: number): string {
  return compose(random, prompt, tokens * BYTES_PER_TOKEN)
}

function compose(random: Random, prompt: string, leastBytes: number): string {
  const topics = topicsOf(prompt)
  const parts: string[] = []
  let bytes = 0
  while (bytes < leastBytes) {
    const part = sentence(random, topics) + separator(random)
    parts.push(part)
    // Counting bytes of each part is cheap; most characters are ASCII.
    bytes += Buffer.byteLength(part)
  }
  return parts.join('').trimEnd()
}

function separator(random: Random): string {
  const roll = random.next()
  if (roll < 0.72) return ' '
  return roll < 0.9 ? '\n\n' : '\n\n- '
}

function sentence(random: Random, topics: readonly string[]): string {
  let word = random.pick(OPENERS)
  let text = word
  for (let i = 0; i < SENTENCE_WORDS; i++) {
    const next = random.pick(FOLLOWERS.get(word) ?? [''])
    if (next === '') return text
    text += ` ${next.startsWith('TOPIC') ? next.replace('TOPIC', random.pick(topics)) : next}`
    word = next
  }
  return `${text.replace(/[.,]$/, '')}.`
}

function topicsOf(prompt: string): readonly string[] {
  const words = prompt
    .slice(-TOPIC_SCAN)
    .replaceAll(/\[sim:[^\]]*\]/g, ' ')
    .split(/[^\p{L}\p{N}-]+/u)
  const topics = new Set<string>()
  for (const word of words) {
    const lower = word.toLowerCase()
    if (word.length < 4 || word.length > 24 || COMMON_WORDS.has(lower)) continue
    topics.add(lower)
    if (topics.size === 8) break
  }
  return topics.size === 0 ? FALLBACK_TOPICS : [...topics]
}
