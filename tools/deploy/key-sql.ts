// The SQL that makes a tenant and its first key. Plain text, since `wrangler d1 execute` takes no values; so each
// name is held to a form, and each text is quoted.

export interface NewKey {
  readonly tenant: string
  readonly tenantName: string
  readonly tier: string
  readonly keyName: string
  /** The browser origins of a new tenant; null: it has none. */
  readonly origins: readonly string[] | null
  readonly keyId: string
  /** HMAC-SHA-256 under the pepper, in lower-case hex. */
  readonly secretHash: string
  readonly createdAt: number
}

/** Everything that is wrong with the names, by the option that gave them. */
export function findProblems(key: Pick<NewKey, 'tenant' | 'tier' | 'origins'>): string[] {
  const problems: string[] = []
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(key.tenant)) {
    problems.push('--tenant: expected 1 to 64 letters, digits, `.`, `_` or `-`')
  }
  if (!/^[a-z0-9_-]{1,32}$/.test(key.tier)) {
    problems.push('--tier: expected the name of a tier, as free, premium or enterprise')
  }
  for (const origin of key.origins ?? []) {
    if (origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin)) {
      problems.push(`--origins: ${origin} is not an exact origin (https://host:port)`)
    }
  }
  return problems
}

/** A tenant that is there already stays as it is, and gets one more key. */
export function insertSql(key: NewKey): string[] {
  const settings = JSON.stringify(key.origins === null ? {} : { origins: key.origins })
  const { createdAt } = key
  return [
    `INSERT INTO tenants (id, name, tier, settings, created_at) VALUES (${list(key.tenant, key.tenantName, key.tier, settings, createdAt)}) ON CONFLICT (id) DO NOTHING`,
    `INSERT INTO keys (id, tenant, name, secret_hash, created_at) VALUES (${list(key.keyId, key.tenant, key.keyName, key.secretHash, createdAt)})`,
  ]
}

/** What became of it: one row. */
export const findTenantSql = (tenant: string): string =>
  `SELECT id, name, tier, disabled FROM tenants WHERE id = ${quote(tenant)}`

const list = (...values: (string | number)[]): string =>
  values.map((value) => (typeof value === 'number' ? String(value) : quote(value))).join(', ')

function quote(text: string): string {
  if (text.includes('\0')) throw new RangeError('SQL text cannot hold a zero character')
  return `'${text.replaceAll("'", "''")}'`
}
