// Expiry options as SET, GETEX and the EXPIRE family share them: every form becomes one absolute time in ms.
import { CommandError } from './reply.ts'
import { parseCount } from './numbers.ts'

export type ExpiryUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT'

const units: Readonly<Record<ExpiryUnit, { readonly scale: number; readonly relative: boolean }>> =
  {
    EX: { scale: 1000, relative: true },
    PX: { scale: 1, relative: true },
    EXAT: { scale: 1000, relative: false },
    PXAT: { scale: 1, relative: false },
  }

export const isExpiryUnit = (word: string): word is ExpiryUnit => Object.hasOwn(units, word)

/** The largest time that survives as an exact integer. */
const latest = Number.MAX_SAFE_INTEGER

export function absoluteExpiry(
  unit: ExpiryUnit,
  amount: number,
  now: number,
  command: string,
): number {
  const { scale, relative } = units[unit]
  const at = amount * scale + (relative ? now : 0)
  if (Math.abs(at) > latest) throw invalidExpiry(command)
  return at
}

/** SET and its kin refuse a time of zero or less. */
export function positiveExpiry(
  unit: ExpiryUnit,
  text: string,
  now: number,
  command: string,
): number {
  const amount = parseCount(text)
  if (amount <= 0) throw invalidExpiry(command)
  return absoluteExpiry(unit, amount, now, command)
}

const invalidExpiry = (command: string) =>
  new CommandError(`ERR invalid expire time in '${command}' command`)
