// Every seeded fault, in the order of the table.
import { adminMutants } from './admin.ts'
import { accountMutants } from './accounts.ts'
import { flowMutants } from './flows.ts'
import { gateMutants } from './gate.ts'
import { ledgerMutants } from './ledger.ts'
import type { Mutant } from './mutant.ts'
import { promptMutants } from './prompt.ts'

export const MUTANTS: readonly Mutant[] = [
  ...gateMutants,
  ...ledgerMutants,
  ...flowMutants,
  ...adminMutants,
  ...accountMutants,
  ...promptMutants,
]
