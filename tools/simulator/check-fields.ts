// The types of fields, and the words in which Claude says that one is wrong. A check returns nothing
// or throws the 400.
import { invalid, type ApiError } from './api-error.ts'
import { isObject, type JsonObject } from './json.ts'

type FieldCheck = (value: unknown, path: string) => void

function wrong(path: string, message: string): ApiError {
  return invalid(`${path}: ${message}`)
}

export const isText: FieldCheck = (value, path) => {
  if (typeof value !== 'string') throw wrong(path, 'Input should be a valid string')
}

export const isFlag: FieldCheck = (value, path) => {
  if (typeof value !== 'boolean') throw wrong(path, 'Input should be a valid boolean')
}

export const isDictionary: FieldCheck = (value, path) => {
  if (!isObject(value)) throw wrong(path, 'Input should be a valid dictionary')
}

export function isInteger(least: number): FieldCheck {
  return (value, path) => {
    if (typeof value !== 'number') throw wrong(path, 'Input should be a valid integer')
    if (!Number.isInteger(value)) {
      throw wrong(path, 'Input should be a valid integer, got a number with a fractional part')
    }
    if (value < least) throw wrong(path, `Input should be greater than or equal to ${least}`)
  }
}

export function isNumberIn(least: number, most: number): FieldCheck {
  return (value, path) => {
    if (typeof value !== 'number') throw wrong(path, 'Input should be a valid number')
    if (value < least) throw wrong(path, `Input should be greater than or equal to ${least}`)
    if (value > most) throw wrong(path, `Input should be less than or equal to ${most}`)
  }
}

export function isOneOf(...options: string[]): FieldCheck {
  const said =
    options.length === 1
      ? `'${options[0]}'`
      : `${options.slice(0, -1).map(quote).join(', ')} or ${quote(options.at(-1) ?? '')}`
  return (value, path) => {
    if (typeof value !== 'string' || !options.includes(value)) {
      throw wrong(path, `Input should be ${said}`)
    }
  }
}

export function isListOf(check: FieldCheck): FieldCheck {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'Input should be a valid list')
    value.forEach((item, index) => check(item, `${path}.${index}`))
  }
}

/** Absent is refused; `null` is a value that the check then judges. */
export function required(object: JsonObject, field: string, prefix = ''): unknown {
  if (object[field] === undefined) throw wrong(`${prefix}${field}`, 'Field required')
  return object[field]
}

/** Absent and `null` are both fine. */
export function optional(object: JsonObject, field: string, check: FieldCheck, prefix = ''): void {
  const value = object[field]
  if (value !== undefined && value !== null) check(value, `${prefix}${field}`)
}

export function refuseExtras(object: JsonObject, known: ReadonlySet<string>, prefix = ''): void {
  for (const field of Object.keys(object)) {
    if (!known.has(field)) throw wrong(`${prefix}${field}`, 'Extra inputs are not permitted')
  }
}

function quote(text: string): string {
  return `'${text}'`
}
