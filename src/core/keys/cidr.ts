// IP addresses and ranges of them, of both versions. An IPv4 address that comes dressed as IPv6 (::ffff:1.2.3.4) is
// the IPv4 address that it is.

export type AddressBytes = readonly number[]

export interface AddressRange {
  /** 4 or 16. */
  readonly bytes: AddressBytes
  readonly prefixBits: number
}

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
const MAPPED_BITS = 96

/** 4 or 16 bytes; null for what is no address. */
export function readAddress(text: string): AddressBytes | null {
  const bytes = text.includes(':') ? readVersion6(text) : readVersion4(text)
  return bytes !== null && isMapped(bytes) ? bytes.slice(12) : bytes
}

/** `10.0.0.0/8`, `2001:db8::/32`; an address alone is a range of one. */
export function readRange(text: string): AddressRange | null {
  const [address = '', length, ...more] = text.split('/')
  if (more.length > 0) return null
  const full = address.includes(':') ? readVersion6(address) : readVersion4(address)
  if (full === null) return null
  const most = full.length * 8
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return null
  const prefixBits = length === undefined ? most : Number(length)
  if (prefixBits > most) return null
  return isMapped(full) && prefixBits >= MAPPED_BITS
    ? { bytes: full.slice(12), prefixBits: prefixBits - MAPPED_BITS }
    : { bytes: full, prefixBits }
}

export function isInRange(address: AddressBytes, { bytes, prefixBits }: AddressRange): boolean {
  if (address.length !== bytes.length) return false
  return bytes.every((byte, at) => {
    const bits = Math.min(8, Math.max(0, prefixBits - at * 8))
    const mask = (0xff << (8 - bits)) & 0xff
    return ((address[at] ?? 0) & mask) === (byte & mask)
  })
}

/** No list allows every address; an address that is not known is in no list. */
export function allowsAddress(ranges: readonly string[] | null, address: string | null): boolean {
  if (ranges === null) return true
  const bytes = address === null ? null : readAddress(address)
  if (bytes === null) return false
  return ranges.some((text) => {
    const range = readRange(text)
    return range !== null && isInRange(bytes, range)
  })
}

function readVersion4(text: string): AddressBytes | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  // No leading zeros: some readers take them for octal.
  const bytes = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256))
  return bytes.every((byte) => byte < 256) ? bytes : null
}

function readVersion6(text: string): AddressBytes | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head = '', tail] = halves
  const before = readGroups(head, tail === undefined)
  const after = tail === undefined ? [] : readGroups(tail, true)
  if (before === null || after === null) return null
  const missing = 16 - before.length - after.length
  // `::` stands for at least one group.
  if (tail === undefined ? missing !== 0 : missing < 2) return null
  return [...before, ...Array<number>(missing).fill(0), ...after]
}

/** The last group of all may be an IPv4 address. */
function readGroups(text: string, isEnd: boolean): number[] | null {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [at, group] of groups.entries()) {
    const inner = isEnd && at === groups.length - 1 && group.includes('.')
    const read = inner ? readVersion4(group) : readGroup(group)
    if (read === null) return null
    bytes.push(...read)
  }
  return bytes
}

function readGroup(group: string): AddressBytes | null {
  if (!/^[0-9a-f]{1,4}$/i.test(group)) return null
  const number = Number.parseInt(group, 16)
  return [number >> 8, number & 0xff]
}

const isMapped = (bytes: AddressBytes): boolean =>
  bytes.length === 16 && MAPPED_PREFIX.every((byte, at) => bytes[at] === byte)
