// Seeded faults of the accounts that join and leave: their list, their credentials, their end.
import type { Mutant } from './mutant.ts'

const LIST = 'src/flows/account-directory.ts'
const LIST_TEST = 'test/unit/accounts/account-directory.test.ts'
const SEAL = 'src/flows/seal-credential.ts'
const SEAL_TEST = 'test/unit/accounts/seal-credential.test.ts'
const ADMIN_TEST = 'test/unit/admin/accounts.test.ts'
const RECORDS = 'src/adapters/sql/admin-accounts.ts'

export const accountMutants: readonly Mutant[] = [
  {
    fault: 'added accounts: a list that was read once is trusted for ever',
    file: LIST,
    from: 'now() >= readAt && now() - readAt < cacheMs',
    to: 'now() >= readAt && readAt > 0',
    killedBy: [LIST_TEST, 'hold a change everywhere after the cache time'],
  },
  {
    fault: 'added accounts: each caller reads the list for itself',
    file: LIST,
    from: 'reading !== null && now() - reading.startedAt < readTimeoutMs ? reading : null',
    to: 'null',
    killedBy: [LIST_TEST, 'are one for all who ask at the same moment'],
  },
  {
    fault: 'added accounts: an older read that answers late undoes a newer one',
    file: LIST,
    from: 'if (number < learnt) return true\n',
    to: '\n',
    killedBy: [LIST_TEST, 'that answer late do not undo a newer one'],
  },
  {
    fault: 'added accounts: while the store is down each caller waits for it',
    file: LIST,
    from: 'if (failedAt === null) return wait(defer)',
    to: 'return wait(defer)',
    killedBy: [LIST_TEST, 'a store that hangs costs one caller its bound'],
  },
  {
    fault: 'sealed credentials: not bound to their account and address',
    file: SEAL,
    from: 'JSON.stringify([VERSION, id, baseUrl])',
    to: 'JSON.stringify([VERSION, typeof id, typeof baseUrl])',
    killedBy: [SEAL_TEST, 'cannot be moved to another account or another address'],
  },
  {
    fault: 'sealed credentials: one nonce for all',
    file: SEAL,
    from: 'crypto.getRandomValues(new Uint8Array(NONCE_BYTES))',
    to: 'new Uint8Array(NONCE_BYTES)',
    killedBy: [SEAL_TEST, 'never looks the same twice'],
  },
  {
    fault: 'leaving accounts: deleted while isolates may still send calls there',
    file: 'src/flows/admin/manage-accounts.ts',
    from: 'if (waitMs > LONGEST_WAIT_MS) {',
    to: 'if (waitMs < 0) {',
    killedBy: [ADMIN_TEST, 'is put off while isolates may trust an older list for long'],
  },
  {
    fault: 'changed accounts: a change of one field forgets the others',
    file: RECORDS,
    from: 'fields = json_patch(fields, ?2)',
    to: "fields = json_patch('{}', ?2)",
    killedBy: [ADMIN_TEST, 'two changes at once of two fields both hold'],
  },
]
