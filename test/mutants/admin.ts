// Seeded faults of the admin plane: its door, its records, and what they bind a key to.
import type { Mutant } from './mutant.ts'

const UNIT = 'test/unit/admin'
const STORE = 'test/contract/admin-store-sqlite.test.ts'

export const adminMutants: readonly Mutant[] = [
  {
    fault: 'admin: any bearer token opens the door',
    file: 'src/flows/admin/open-admin.ts',
    from: 'if (!equalInConstantTime(presented, right)) {',
    to: 'if (presented === right + token) {',
    killedBy: [`${UNIT}/door.test.ts`, 'without asking the database'],
  },
  {
    fault: 'admin: an escape in the path is as good as the letter',
    file: 'src/routes/admin/admin.ts',
    from: "if (pathOf(c.req.url).includes('%')) {",
    to: "if (pathOf(c.req.url) === '%') {",
    killedBy: [`${UNIT}/door.test.ts`, '/%74iers'],
  },
  {
    fault: 'admin: refusals may be kept by caches',
    file: 'src/routes/admin/admin.ts',
    from: "c.res.headers.set('cache-control', 'no-store')",
    to: "if (c.res.ok) c.res.headers.set('cache-control', 'no-store')",
    killedBy: [`${UNIT}/door.test.ts`, 'without asking the database'],
  },
  {
    fault: 'admin: an unknown field is dropped in silence',
    file: 'src/core/admin/fields.ts',
    from: 'if (reader === undefined) problems.push(unknownField(path, shape))',
    to: '',
    killedBy: [`${UNIT}/tenants.test.ts`, 'is refused, and told why'],
  },
  {
    fault: 'admin: a request is answered again without being the same',
    file: 'src/flows/admin/answer-once.ts',
    from: 'if (stored.fingerprint !== fingerprint || body === null) {',
    to: 'if (body === null) {',
    killedBy: [`${UNIT}/keys.test.ts`, 'with another body, or for another route'],
  },
  {
    fault: 'admin: of equal requests at once, those that come second fail',
    file: 'src/flows/admin/answer-once.ts',
    from: 'if (first === null) throw error',
    to: 'throw error',
    killedBy: [`${UNIT}/keys.test.ts`, 'though it comes twenty times at once'],
  },
  {
    fault: 'admin: the answer is kept beside the change, not with it',
    file: 'src/adapters/sql/audited.ts',
    from: '  ...keepAnswer(write),\n]',
    to: ']',
    killedBy: [STORE, 'makes one of many tenants'],
  },
  {
    fault: 'admin: the answer of a change that did not happen is kept',
    file: 'src/adapters/sql/audited.ts',
    from: 'FROM admin_events WHERE id = ?6`',
    to: "WHERE ?6 <> ''`",
    killedBy: [STORE, 'keeps no answer of a change that did not happen'],
  },
  {
    fault: 'admin: two rotations within a millisecond are taken for one',
    file: 'src/adapters/sql/admin-keys.ts',
    from: "'rotations', rotations,",
    to: "'rotations', 0,",
    killedBy: [STORE, 'two rotations of one moment'],
  },
  {
    fault: 'admin: what changed nothing leaves an event',
    file: 'src/adapters/sql/audited.ts',
    from: 'WHERE id = ?1 AND before IS after',
    to: 'WHERE id = ?1 AND before IS NULL AND after IS NULL',
    killedBy: [STORE, 'writes no event where nothing changed'],
  },
  {
    fault: 'admin: overrides are mixed with those that stand, so none can be taken away',
    file: 'src/adapters/sql/admin-tenants.ts',
    from: 'overrides = coalesce(?5, overrides)',
    to: "overrides = json_patch(overrides, coalesce(?5, '{}'))",
    killedBy: [STORE, 'and replaces overrides'],
  },
  {
    fault: 'admin: a revoked key can be brought back',
    file: 'src/adapters/sql/admin-keys.ts',
    from: 'WHERE id = ?1 AND revoked_at IS NULL RETURNING *`',
    to: 'WHERE id = ?1 RETURNING *`',
    killedBy: [STORE, 'shows a revoked key no more'],
  },
  {
    fault: 'admin: the last entry of a page comes again on the next',
    file: 'src/adapters/sql/admin-keys.ts',
    from: '(created_at, id) > (?2, ?3)',
    to: '(created_at, id) >= (?2, ?3)',
    killedBy: [STORE, 'gives every entry once'],
  },
  {
    fault: 'admin: entries of one moment are lost between pages',
    file: 'src/adapters/sql/admin-keys.ts',
    from: '(created_at, id) > (?2, ?3)',
    to: "created_at > ?2 AND ?3 <> 'never'",
    killedBy: [STORE, 'gives every entry once'],
  },
  {
    fault: 'keys: a former secret works for ever',
    file: 'src/flows/authenticate.ts',
    from: "if (match === 'former' && (found.former?.until ?? 0) <= options.now()) {",
    to: "if (match === 'former' && found.former === null) {",
    killedBy: ['test/unit/authenticate/authenticate.test.ts', 'until the grace is over'],
  },
  {
    fault: 'keys: an address that is not known is from everywhere',
    file: 'src/core/keys/cidr.ts',
    from: 'if (bytes === null) return false',
    to: 'if (bytes === null) return true',
    killedBy: [`${UNIT}/enforcement.test.ts`, 'is good from these alone'],
  },
  {
    fault: 'keys: a range is compared by whole bytes',
    file: 'src/core/keys/cidr.ts',
    from: 'const mask = (0xff << (8 - bits)) & 0xff',
    to: 'const mask = bits === 0 ? 0 : 0xff',
    killedBy: ['test/unit/keys/cidr.test.ts', 'share its first bits'],
  },
  {
    fault: 'keys: a header names the address of whoever calls',
    file: 'src/doorway/gateway.ts',
    from: 'addressOf: (request) => addresses.get(request) ?? null,',
    to: "addressOf: (request) => request.headers.get('cf-connecting-ip') ?? addresses.get(request) ?? null,",
    killedBy: [`${UNIT}/enforcement.test.ts`, 'is good from these alone'],
  },
]
