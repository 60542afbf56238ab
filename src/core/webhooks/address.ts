// Where a webhook may be sent: `https://name[:443|:8443]/…`, and the name is public. The text itself is judged, before
// any parser has made something else of it: what is not in the one plain spelling is refused, not translated, so that
// no two readers can understand a different host. Where a name leads is judged again when something is sent.
import { readAddress } from '../keys/cidr.ts'
import { isPublicAddress } from './public-address.ts'

export type JudgedAddress =
  /** `isExempt`: its origin is one of SLUICE_WEBHOOK_ALLOW, so that it may lead anywhere. */
  | { readonly kind: 'allowed'; readonly isExempt: boolean }
  | { readonly kind: 'refused'; readonly problem: string }

const MAX_CHARS = 2_048
const PARTS = /^([a-z]+):\/\/([^/?#]*)([/?#].*)?$/i
/** What the rest of an address may consist of: nothing that a parser drops or turns into something else. */
const PLAIN = /^[\x21-\x7e]+$/
const HOST = /^(?:([A-Za-z0-9._-]+)|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?$/
const PORTS = ['443', '8443']

/** These are answered inside a machine, a network or a cloud. */
const INNER_NAMES = ['localhost', 'localdomain', 'local', 'internal', 'intranet', 'home.arpa']

export function judgeWebhookAddress(
  text: string,
  allowedOrigins: readonly string[],
): JudgedAddress {
  if (text.length > MAX_CHARS) return refuse(`expected at most ${MAX_CHARS} characters`)
  if (!PLAIN.test(text) || text.includes('\\')) {
    return refuse('expected printable ASCII characters without spaces and backslashes')
  }
  const [, scheme = '', authority = ''] = PARTS.exec(text) ?? []
  if (scheme === '') return refuse('expected an https URL')
  if (authority.includes('@')) return refuse('expected no user info')
  const origin = `${scheme}://${authority}`.toLowerCase()
  if (allowedOrigins.includes(origin)) return { kind: 'allowed', isExempt: true }
  if (scheme.toLowerCase() !== 'https') return refuse('expected https')
  const [, name, address, port] = HOST.exec(authority) ?? []
  if (port !== undefined && !PORTS.includes(port)) return refuse('expected port 443 or 8443')
  const problem =
    name === undefined ? judgeVersion6(address) : judgeName(name.toLowerCase().replace(/\.$/, ''))
  return problem === null ? { kind: 'allowed', isExempt: false } : refuse(problem)
}

function judgeVersion6(address: string | undefined): string | null {
  const bytes = address === undefined ? null : readAddress(address)
  if (bytes === null) return 'expected a host name'
  return isPublicAddress(bytes) ? null : NOT_PUBLIC
}

const NOT_PUBLIC = 'expected a public address'

function judgeName(name: string): string | null {
  const labels = name.split('.')
  // Whatever ends in a number is an address to every parser: 127.1, 0x7f.1, 017700000001, 2130706433.
  if (/^(\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '')) {
    const bytes = readAddress(name)
    if (bytes === null) return 'expected an IPv4 address as four decimal numbers'
    return isPublicAddress(bytes) ? null : NOT_PUBLIC
  }
  if (name.length > 253 || !labels.every((label) => LABEL.test(label))) {
    return 'expected a host name'
  }
  const isInner = INNER_NAMES.some((inner) => name === inner || name.endsWith(`.${inner}`))
  return isInner || labels.length < 2 ? 'expected a public host name' : null
}

/** A name of other scripts is written in its ASCII form, xn--…, as it is asked for. */
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

const refuse = (problem: string): JudgedAddress => ({ kind: 'refused', problem })
