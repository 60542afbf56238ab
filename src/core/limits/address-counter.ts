// What an address is counted under. Whoever has one IPv6 address has the whole network of 64 bits around it.
import { readAddress } from '../keys/cidr.ts'

const NETWORK_BYTES = 8

/** Null where the address is not known or is none: then nothing is counted by it. */
export function addressCounter(address: string | null): string | null {
  const bytes = address === null ? null : readAddress(address)
  if (bytes === null) return null
  if (bytes.length === 4) return bytes.join('.')
  return `${bytes
    .slice(0, NETWORK_BYTES)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')}/64`
}
