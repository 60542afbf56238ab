import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MUTANTS } from '../../mutants/all.ts'
import { mutate, root } from '../../mutants/copy.ts'
import { rowOf } from '../../mutants/table.ts'

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')

/** A test file, and what it imports of the tests beside it: suites that several adapters share. */
const textsOf = (file: string): string[] => {
  const own = textOf(file)
  const beside = own.matchAll(/from '(\.\/[^']+\.ts)'/g)
  return [own, ...[...beside].map(([, path = '']) => textOf(join(dirname(file), path)))]
}

describe('a seeded fault', () => {
  test.each(MUTANTS)('finds its place in the source: $fault', (mutant) => {
    const source = textOf(mutant.file)
    expect(mutate(source, mutant)).not.toBe(source)
  })

  test.each(MUTANTS)('names a test that is there: $fault', ({ killedBy: [file, title] }) => {
    const text = textsOf(file).join('\n')
    const starts = [...text.matchAll(/'([^'\n%]{4,})%[sij]/g)].map(([, start = '']) => start)
    if (!starts.some((start) => title.startsWith(start))) expect(text).toContain(title)
  })

  test('has a name of its own', () => {
    const names = MUTANTS.map(({ fault }) => fault)
    expect(new Set(names).size).toBe(names.length)
  })

  test.each(MUTANTS)('was run, and killed: $fault', (mutant) => {
    expect(textOf('docs/MUTANTS.md')).toContain(rowOf(mutant, 'killed'))
  })
})
