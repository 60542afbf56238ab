// Reading JSON of unknown shape, with a word on what was expected.
import { CheckFailure } from './failure.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckFailure(`${what} is no object: ${show(value)}`)
  }
  return value as JsonObject
}

export function asList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new CheckFailure(`${what} is no list: ${show(value)}`)
  return value
}

export function asText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new CheckFailure(`${what} is no text: ${show(value)}`)
  return value
}

export function asCount(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new CheckFailure(`${what} is no whole number: ${show(value)}`)
  }
  return value
}

const show = (value: unknown): string => (JSON.stringify(value) ?? 'absent').slice(0, 80)
