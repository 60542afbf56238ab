// Reads the JSON that an operator sends. Every field is known by name: one that is not, or that is not what was
// expected, is a problem that names it. Nothing is guessed and nothing is dropped in silence.

/** Gives the value, or undefined after it has added at least one problem. */
export type Reader<T> = (input: unknown, field: string, problems: string[]) => T | undefined

export type ReadFields<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

export function readFields<T>(reader: Reader<T>, input: unknown): ReadFields<T> {
  const problems: string[] = []
  const value = reader(input, '', problems)
  return value === undefined || problems.length > 0
    ? { kind: 'bad', problems }
    : { kind: 'read', value }
}

/** `read` gives undefined where the value is not what is expected. */
export function field<T>(expected: string, read: (input: unknown) => T | undefined): Reader<T> {
  return (input, name, problems) => {
    const value = read(input)
    if (value === undefined) problems.push(problemOf(name, expected))
    return value
  }
}

type Shape = Readonly<Record<string, Reader<unknown>>>
type Known<R> = R extends Reader<infer T> ? T : never
type Fields<S extends Shape> = { readonly [Name in keyof S]: Known<S[Name]> }

/** What is left out stays out, but for the required names. */
export function object<S extends Shape, Required extends keyof S & string = never>(
  shape: S,
  required: readonly Required[] = [],
): Reader<Partial<Fields<S>> & Pick<Fields<S>, Required>> {
  return (input, name, problems) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      problems.push(problemOf(name, 'an object'))
      return undefined
    }
    const before = problems.length
    const entries = Object.entries(input).flatMap(([key, value]) => {
      const shown = showName(key)
      const path = name === '' ? shown : `${name}.${shown}`
      const reader = Object.hasOwn(shape, key) ? shape[key] : undefined
      if (reader === undefined) problems.push(unknownField(path, shape))
      return reader === undefined ? [] : [[key, reader(value, path, problems)] as const]
    })
    for (const key of required.filter((each) => !Object.hasOwn(input, each))) {
      problems.push(`${name === '' ? key : `${name}.${key}`}: is missing`)
    }
    if (problems.length > before) return undefined
    // Each entry went through the reader of its name.
    return Object.fromEntries(entries) as Partial<Fields<S>> & Pick<Fields<S>, Required>
  }
}

export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (input, name, problems) => (input === null ? null : reader(input, name, problems))
}

export function list<T>(reader: Reader<T>, bounds: Bounds): Reader<readonly T[]> {
  return (input, name, problems) => {
    const { min, max } = bounds
    if (!Array.isArray(input) || input.length < min || input.length > max) {
      problems.push(problemOf(name, `a list of ${min} to ${max} entries`))
      return undefined
    }
    const entries = input.map((entry: unknown, at) => reader(entry, `${name}[${at}]`, problems))
    return entries.every((entry) => entry !== undefined) ? entries : undefined
  }
}

export interface Bounds {
  readonly min: number
  readonly max: number
}

/** Of printable text: what is shown in a terminal or a page must not be able to change it. */
export const text = ({ min, max }: Bounds): Reader<string> =>
  field(`a text of ${min} to ${max} printable characters`, (input) =>
    typeof input === 'string' &&
    input.length >= min &&
    input.length <= max &&
    !/\p{Cc}|\p{Cs}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(input)
      ? input
      : undefined,
  )

export const matching = (pattern: RegExp, expected: string): Reader<string> =>
  field(expected, (input) => (typeof input === 'string' && pattern.test(input) ? input : undefined))

export const wholeNumber = ({ min, max }: Bounds): Reader<number> =>
  field(`a whole number from ${min} to ${max}`, (input) =>
    Number.isSafeInteger(input) && isWithin(input, min, max) ? input : undefined,
  )

export const anyNumber = ({ min, max }: Bounds): Reader<number> =>
  field(`a number from ${min} to ${max}`, (input) =>
    isWithin(input, min, max) ? input : undefined,
  )

export const truth: Reader<boolean> = field('true or false', (input) =>
  typeof input === 'boolean' ? input : undefined,
)

export const oneOf = <T extends string>(values: readonly T[]): Reader<T> =>
  field(`one of ${values.join(', ')}`, (input) => values.find((value) => value === input))

const isWithin = (input: unknown, min: number, max: number): input is number =>
  typeof input === 'number' && input >= min && input <= max

const problemOf = (name: string, expected: string): string =>
  name === '' ? `The body: expected ${expected}` : `${name}: expected ${expected}`

const unknownField = (path: string, shape: Shape): string =>
  `${path}: there is no such field (known are ${Object.keys(shape).join(', ')})`

/** A name that is not ours may be anything, and must not read as something else. */
const showName = (key: string): string =>
  /^\w{1,40}$/.test(key) ? key : JSON.stringify(key.slice(0, 40))
