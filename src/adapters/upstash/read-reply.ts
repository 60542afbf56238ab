// What Redis answers, read strictly: what makes no sense is no answer.

export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('Redis answered what is no list')
  return value
}

export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error('Redis answered what is no text')
  return value
}

export function countOf(value: unknown): number {
  const count = Number(value)
  if (!Number.isSafeInteger(count) || count < 0) throw new Error('Redis answered what is no count')
  return count
}
