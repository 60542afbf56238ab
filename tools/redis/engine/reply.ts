// What a command answers, in the terms of RESP2, and the error texts of Redis. Clients match on these texts.

/** A status line such as OK; kept apart from bulk strings because REST and Lua show it differently. */
export interface Simple {
  readonly simple: string
}

export interface Failure {
  readonly failure: string
}

/** A bulk string is a plain (binary) string, nil is null. */
export type Reply = string | number | bigint | null | Simple | Failure | readonly Reply[]

export const OK: Simple = { simple: 'OK' }

export function isFailure(reply: Reply): reply is Failure {
  return typeof reply === 'object' && reply !== null && 'failure' in reply
}

export function isSimple(reply: Reply): reply is Simple {
  return typeof reply === 'object' && reply !== null && 'simple' in reply
}

/** Thrown by a command to refuse; the engine turns it into an error reply. */
export class CommandError extends Error {}

export const wrongType = () =>
  new CommandError('WRONGTYPE Operation against a key holding the wrong kind of value')
export const syntaxError = () => new CommandError('ERR syntax error')
export const notAnInteger = () => new CommandError('ERR value is not an integer or out of range')
export const notAFloat = () => new CommandError('ERR value is not a valid float')
export const noSuchKey = () => new CommandError('ERR no such key')
export const noScript = () => new CommandError('NOSCRIPT No matching script. Please use EVAL.')
export const wrongArity = (name: string) =>
  new CommandError(`ERR wrong number of arguments for '${name}' command`)
