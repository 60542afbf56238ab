import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MUTANTS } from '../../mutants/all.ts'
import { mutate, root } from '../../mutants/copy.ts'
import { rowOf } from '../../mutants/table.ts'

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')

describe('a seeded fault', () => {
  test.each(MUTANTS)('finds its place in the source: $fault', (mutant) => {
    const source = textOf(mutant.file)
    expect(mutate(source, mutant)).not.toBe(source)
  })

  test.each(MUTANTS)('names a test that is there: $fault', ({ killedBy: [file, title] }) => {
    expect(textOf(file)).toContain(title)
  })

  test('has a name of its own', () => {
    const names = MUTANTS.map(({ fault }) => fault)
    expect(new Set(names).size).toBe(names.length)
  })

  test.each(MUTANTS)('was run, and killed: $fault', (mutant) => {
    expect(textOf('docs/MUTANTS.md')).toContain(rowOf(mutant, 'killed'))
  })
})
