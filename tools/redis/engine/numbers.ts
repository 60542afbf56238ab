// Numbers as Redis reads and writes them: 64-bit integers, doubles, and decimal sums without binary rounding.
import { CommandError, notAFloat, notAnInteger } from './reply.ts'

export type Integer = number | bigint

const strictInteger = /^(?:0|-?[1-9]\d{0,18})$/
const largest = 2n ** 63n - 1n
const smallest = -(2n ** 63n)

/** A 64-bit integer in Redis's strict form (no sign +, no spaces, no leading zeros), or null. */
export function tryInteger(text: string): Integer | null {
  if (!strictInteger.test(text)) return null
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  const exact = BigInt(text)
  return exact > largest || exact < smallest ? null : exact
}

export function parseInteger(text: string): Integer {
  const value = tryInteger(text)
  if (value === null) throw notAnInteger()
  return value
}

/** An integer that is used as index, count or time: beyond 2^53 the nearest double is exact enough. */
export function parseCount(text: string): number {
  return Number(parseInteger(text))
}

/** As the count of a pop: anything but an integer from 0 on is refused in the same words. */
export function parsePositiveCount(text: string): number {
  const value = tryInteger(text)
  if (value === null || value < 0) {
    throw new CommandError('ERR value is out of range, must be positive')
  }
  return Number(value)
}

export function addIntegers(left: Integer, right: Integer): Integer {
  if (typeof left === 'number' && typeof right === 'number') {
    const sum = left + right
    if (Number.isSafeInteger(sum)) return sum
  }
  const sum = BigInt(left) + BigInt(right)
  if (sum > largest || sum < smallest) {
    throw new CommandError('ERR increment or decrement would overflow')
  }
  return narrow(sum)
}

export function negate(value: Integer): Integer {
  if (typeof value === 'number') return -value
  if (value === smallest) throw new CommandError('ERR decrement would overflow')
  return -value
}

function narrow(value: bigint): Integer {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

const floatForm = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
const infinityForm = /^([+-]?)inf(?:inity)?$/i

/** A double in C's form, infinities included and NaN refused; null when it is none. */
export function tryFloat(text: string): number | null {
  const infinite = infinityForm.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  return floatForm.test(text) ? Number(text) : null
}

export function parseFloatStrictly(text: string): number {
  const value = tryFloat(text)
  if (value === null) throw notAFloat()
  return value
}

/** The shortest text that reads back as the same double, in C's spelling. */
export function formatFloat(value: number): string {
  if (value === Infinity) return 'inf'
  if (value === -Infinity) return '-inf'
  if (Object.is(value, -0)) return '-0'
  return String(value)
}

const decimals = 17n
const scale = 10n ** decimals

/** The sum of two decimal texts with 17 places, as INCRBYFLOAT prints it: 0.1 + 0.2 is 0.3. */
export function addDecimals(left: string, right: string): string {
  const a = tryFloat(left)
  const b = tryFloat(right)
  if (a === null || b === null) throw notAFloat()
  if (!Number.isFinite(a + b)) {
    throw new CommandError('ERR increment would produce NaN or Infinity')
  }
  return formatScaled(toScaled(left) + toScaled(right))
}

function toScaled(text: string): bigint {
  const [mantissa = '0', exponentText = '0'] = text.toLowerCase().split('e')
  const negative = mantissa.startsWith('-')
  const [whole = '', fraction = ''] = mantissa.replace(/^[+-]/, '').split('.')
  const digits = BigInt(`${whole}${fraction}` || '0')
  // Doubles end near 1e308, so a larger exponent can only belong to a zero or to something below 17 places.
  const exponent = Math.max(-400, Math.min(400, Number(exponentText)))
  const shift = exponent - fraction.length + Number(decimals)
  const magnitude = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift)
  return negative ? -magnitude : magnitude
}

function formatScaled(value: bigint): string {
  const magnitude = value < 0n ? -value : value
  const whole = String(magnitude / scale)
  const fraction = String(magnitude % scale)
    .padStart(Number(decimals), '0')
    .replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}
