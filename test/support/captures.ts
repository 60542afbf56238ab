// Real streams of Claude's API, read from beside the repository; none where that folder is absent.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../../shared/data/claude-api-captures')

export interface Capture {
  readonly name: string
  readonly bytes: Uint8Array
}

export const captures: readonly Capture[] = existsSync(`${folder}/sse`)
  ? readdirSync(`${folder}/sse`).map((name) => ({
      name,
      bytes: new Uint8Array(readFileSync(`${folder}/sse/${name}`)),
    }))
  : []

export interface HeaderCapture {
  readonly status: number
  readonly model: string
  readonly headers: Readonly<Record<string, string>>
}

export const headerCaptures: readonly HeaderCapture[] = existsSync(folder)
  ? readFileSync(`${folder}/ratelimit_headers.jsonl`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as HeaderCapture)
  : []

export function splitEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size))
  return parts
}
