// `npm run mutants [-- part of a fault's name | --new]`: applies each seeded fault to a copy of the project, runs the test that
// must fail, and writes docs/MUTANTS.md. Ends with 1 where a fault survives.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MUTANTS } from './all.ts'
import { ProjectCopy, root } from './copy.ts'
import type { Mutant } from './mutant.ts'
import { renderTable, type Result, rowOf } from './table.ts'

const TABLE = join(root, 'docs/MUTANTS.md')

const [wanted = ''] = process.argv.slice(2)
const before = existsSync(TABLE) ? readFileSync(TABLE, 'utf8') : ''
const chosen = MUTANTS.filter((mutant) =>
  wanted === '--new' ? !before.includes(rowOf(mutant, 'killed')) : mutant.fault.includes(wanted),
)
const copy = new ProjectCopy()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.once('exit', () => copy.remove())

await requireHealth(chosen)
const results: Result[] = []
for (const mutant of chosen) {
  const killed = await copy.isKilled(mutant)
  console.log(`${killed ? 'killed  ' : 'SURVIVED'} ${mutant.fault}`)
  results.push({ mutant, killed })
}
writeFileSync(TABLE, renderTable(MUTANTS, results, before))
const survivors = results.filter(({ killed }) => !killed).length
console.log(`${results.length} faults, ${survivors} survived`)
process.exitCode = survivors === 0 ? 0 : 1

/** Without any fault every named test must pass, or its failure would prove nothing. */
async function requireHealth(mutants: readonly Mutant[]): Promise<void> {
  const byFile = Map.groupBy(mutants, ({ killedBy: [file] }) => file)
  for (const [file, own] of byFile) {
    const titles = own.map(({ killedBy: [, title] }) => title)
    if (!(await copy.passes(file, titles))) throw new Error(`${file} fails without any fault`)
  }
}
