// Accounts for a test's gateway: each is an organization of the simulator with the same name.

export interface TestAccount {
  readonly id: string
  readonly max_concurrent?: number
  readonly models?: readonly string[]
  readonly backup?: boolean
  readonly api_key?: string
  readonly base_url?: string
}

/** The value of `ANTHROPIC_ACCOUNTS`. */
export const accountList = (...accounts: readonly TestAccount[]): string =>
  JSON.stringify(accounts.map((account) => ({ api_key: `sk-ant-sim-${account.id}`, ...account })))
