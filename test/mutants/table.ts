// The table of seeded faults in docs/MUTANTS.md. A run of some faults changes their rows only.
import type { Mutant } from './mutant.ts'

const HEAD = `# Seeded faults, and the tests that they fail

Written by \`npm run mutants\`, which puts each fault into a copy of the project and runs the named test;
\`npm run mutants -- budget\` runs those with that word in their name, \`-- --new\` those that are not in the table. The tests are part of \`npm test\`, and so is a check that every
fault still finds its place in the source and has been run.

| fault | place | test | result |
| --- | --- | --- | --- |
`

export interface Result {
  readonly mutant: Mutant
  readonly killed: boolean
}

export function renderTable(
  mutants: readonly Mutant[],
  results: readonly Result[],
  before: string,
): string {
  const rows = mutants.flatMap((mutant) => {
    const result = results.find((each) => each.mutant === mutant)
    if (result !== undefined) return [rowOf(mutant, result.killed ? 'killed' : 'survived')]
    return before.includes(`${rowOf(mutant, 'killed')}\n`) ? [rowOf(mutant, 'killed')] : []
  })
  return `${HEAD}${rows.join('\n')}\n`
}

export function rowOf({ fault, file, killedBy: [test, title] }: Mutant, result: string): string {
  return `| ${fault} | \`${file}\` | ${test.replace('test/', '')}: ${title} | ${result} |`
}
