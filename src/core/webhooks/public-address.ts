// Which IP addresses a webhook may go to: those that the public internet routes to one host, and nothing else.
// https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 twin. What carries an IPv4 address within
// an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo) is refused whatever it carries: it has a plain spelling.
import {
  type AddressBytes,
  type AddressRange,
  isInRange,
  readAddress,
  readRange,
} from '../keys/cidr.ts'

const INNER_VERSION_4 = ranges([
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared, and the metadata of one cloud
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // the host of one cloud's machines, in a public range
  '169.254.0.0/16', // link-local, and most clouds' metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
])

/** Everything else of version 6 is private, local, multicast, reserved or a disguise of version 4. */
const GLOBAL_UNICAST = ranges(['2000::/3'])

const INNER_VERSION_6 = ranges([
  '2001::/23', // protocol assignments: Teredo, ORCHID, benchmarks
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
])

export function isPublicAddress(bytes: AddressBytes): boolean {
  if (bytes.length === 4) return !isIn(bytes, INNER_VERSION_4)
  return isIn(bytes, GLOBAL_UNICAST) && !isIn(bytes, INNER_VERSION_6)
}

/** Of an address as a resolver gives it; what is no address is not public. */
export function isPublicAddressText(text: string): boolean {
  const bytes = readAddress(text)
  return bytes !== null && isPublicAddress(bytes)
}

const isIn = (bytes: AddressBytes, list: readonly AddressRange[]): boolean =>
  list.some((range) => isInRange(bytes, range))

function ranges(texts: readonly string[]): readonly AddressRange[] {
  return texts.flatMap((text) => readRange(text) ?? [])
}
