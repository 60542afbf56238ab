// `npm run create-key`: makes a tenant and a key, in D1 (of this machine or of the account) or in the SQLite file of
// a gateway on Bun or Deno. The key is printed once and stored nowhere: the database gets its hash.
import { KEY_USAGE, readKeyOptions } from './key-options.ts'
import { insertSql } from './key-sql.ts'
import { makeKey, storeInD1, storeInFile } from './store-key.ts'

async function main(): Promise<void> {
  const read = readKeyOptions(process.argv.slice(2))
  if (read.kind === 'help') return void process.stdout.write(KEY_USAGE)
  if (read.kind === 'bad') throw new Error(`${read.problems.join('\n')}\n\n${KEY_USAGE}`)
  const pepper = process.env['KEY_PEPPER'] ?? ''
  if (!/^[\x21-\x7e]{32,}$/.test(pepper)) {
    throw new Error('KEY_PEPPER: expected in the environment, at least 32 printable characters')
  }
  const { key, target } = read.options
  const { text, row } = await makeKey(key, pepper)
  if (target.kind === 'print') {
    console.log(`${insertSql(row).join(';\n')};`)
    return console.error(`The key, shown this once: ${text}`)
  }
  const tenant =
    target.kind === 'file' ? storeInFile(target.path, row) : await storeInD1(target.flags, row)
  // The key alone on standard output, for a shell to catch.
  console.error(`A key of the tenant ${JSON.stringify(tenant ?? key.tenant)}, shown this once:`)
  console.log(text)
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
