import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SETTINGS } from '../../../src/config/settings.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/OPERATIONS.md'), 'utf8')

test('docs/OPERATIONS.md lists every setting, each once, with its true default', () => {
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (.+) \|$/gm)].map(
    (row) => ({
      name: row[1],
      default: row[2]?.replaceAll('`', ''),
    }),
  )
  const actual = Object.entries(SETTINGS).map(([name, schema]) => ({
    name,
    default: describeDefault('defaultValue' in schema.def ? schema.def.defaultValue : undefined),
  }))
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
    String(a.name).localeCompare(String(b.name))
  expect(documented.toSorted(byName)).toEqual(actual.toSorted(byName))
})

function describeDefault(value: unknown): string {
  if (value === undefined) return '–'
  const text = Array.isArray(value) ? value.join(',') : JSON.stringify(value).replaceAll('"', '')
  return text === '' ? 'empty' : text
}
