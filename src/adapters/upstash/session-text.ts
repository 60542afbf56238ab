// A long text as fewer bytes, by the platform's own streams; Redis over REST carries text, so what was compressed goes
// as base64.
import { toBase64 } from './flight-pieces.ts'

/** Below, compressing costs more than it saves. */
const COMPRESS_ABOVE_CHARS = 100 * 1024
const PLAIN = 'p'
const GZIP = 'z'

export async function pack(text: string): Promise<string> {
  if (text.length <= COMPRESS_ABOVE_CHARS) return PLAIN + text
  const packed = await through(new Blob([text]).stream(), new CompressionStream('gzip'))
  return GZIP + toBase64(packed)
}

/** What `pack` gave. Throws where it is damaged. */
export async function unpack(packed: string): Promise<string> {
  if (packed.startsWith(PLAIN)) return packed.slice(1)
  if (!packed.startsWith(GZIP)) throw new Error('Redis answered what is no kept text')
  const bytes = Uint8Array.from(atob(packed.slice(1)), (char) => char.charCodeAt(0))
  const text = await through(new Blob([bytes]).stream(), new DecompressionStream('gzip'))
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text)
}

const through = async (
  bytes: ReadableStream<Uint8Array>,
  step: CompressionStream | DecompressionStream,
): Promise<Uint8Array> =>
  new Uint8Array(
    await new Response(
      bytes.pipeThrough(step as ReadableWritablePair<Uint8Array, Uint8Array>) as BodyInit,
    ).arrayBuffer(),
  )
