// SET with all its options.
import type { CommandContext } from './command.ts'
import { isExpiryUnit, positiveExpiry } from './expiry.ts'
import type { ExpiryUnit } from './expiry.ts'
import { OK, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'

interface SetOptions {
  condition: 'NX' | 'XX' | null
  get: boolean
  keepTtl: boolean
  expiry: { readonly unit: ExpiryUnit; readonly amount: string } | null
}

export function setCommand(context: CommandContext, args: readonly string[]): Reply {
  const [key, text, ...words] = args as [string, string, ...string[]]
  const options = parseOptions(words)
  const { db } = context
  const expiresAt = options.expiry
    ? positiveExpiry(options.expiry.unit, options.expiry.amount, db.now, 'set')
    : null
  const old = options.get ? (db.read(key, 'string') ?? null) : null
  const present = db.find(key)
  const refused =
    (options.condition === 'NX' && present !== undefined) ||
    (options.condition === 'XX' && present === undefined)
  if (refused) return options.get ? old : null
  db.put(
    key,
    { kind: 'string', data: text },
    options.keepTtl ? (present?.expiresAt ?? null) : expiresAt,
  )
  if (expiresAt !== null) context.record('SET', key, text, 'PXAT', String(expiresAt))
  else if (options.keepTtl) context.record('SET', key, text, 'KEEPTTL')
  else context.record('SET', key, text)
  return options.get ? old : OK
}

function parseOptions(words: readonly string[]): SetOptions {
  const options: SetOptions = { condition: null, get: false, keepTtl: false, expiry: null }
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] ?? '').toUpperCase()
    if (word === 'NX' || word === 'XX') {
      if (options.condition !== null && options.condition !== word) throw syntaxError()
      options.condition = word
    } else if (word === 'GET') options.get = true
    else if (word === 'KEEPTTL' && options.expiry === null) options.keepTtl = true
    else if (isExpiryUnit(word) && options.expiry === null && !options.keepTtl) {
      const amount = words[++at]
      if (amount === undefined) throw syntaxError()
      options.expiry = { unit: word, amount }
    } else throw syntaxError()
  }
  return options
}
