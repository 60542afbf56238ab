// SHA-1 of a binary string in hex: the name under which a script is cached.
import { createHash } from 'node:crypto'

export const sha1Hex = (binary: string): string =>
  createHash('sha1').update(binary, 'latin1').digest('hex')
