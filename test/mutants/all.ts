// Every seeded fault, in the order of the table.
import { adminMutants } from './admin.ts'
import { accountMutants } from './accounts.ts'
import { gateMutants } from './gate.ts'
import type { Mutant } from './mutant.ts'

export const MUTANTS: readonly Mutant[] = [...gateMutants, ...adminMutants, ...accountMutants]
