// The form of the log: one line a unit, `<crc32 hex> <JSON array of commands>`. JSON has no raw line feed, so a line
// is whole or it is not there, and the checksum tells a torn or rotten one.
import { crc32 } from 'node:zlib'
import type { Command } from '../engine/engine.ts'

export function encodeRecord(effects: readonly Command[]): string {
  const json = JSON.stringify(effects)
  return `${checksum(json)} ${json}\n`
}

/** The commands of a line, or null when it is damaged. */
export function decodeRecord(line: Buffer): Command[] | null {
  const json = line.toString('utf8', 9)
  if (line[8] !== 0x20 || line.toString('latin1', 0, 8) !== checksum(json)) return null
  return JSON.parse(json)
}

const checksum = (json: string): string => crc32(json).toString(16).padStart(8, '0')
