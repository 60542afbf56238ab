// What a command is, and the table of commands that the engine looks in.
import type { Database } from './database.ts'
import type { Reply } from './reply.ts'

export interface CommandContext {
  readonly db: Database
  /**
   * Journals this instead of the command as it came. Needed wherever the outcome depends on the clock, on chance or
   * on decimal arithmetic; several calls make several entries.
   */
  record(...effect: readonly string[]): void
}

export interface CommandSpec {
  /** As Redis counts: the name included, negative for a minimum. */
  readonly arity: number
  readonly writes: boolean
  /** Arguments come without the command's name, their count already checked. */
  run(context: CommandContext, args: readonly string[]): Reply
}

export type CommandTable = Readonly<Record<string, CommandSpec>>

type Run = CommandSpec['run']

export const reads = (arity: number, run: Run): CommandSpec => ({ arity, writes: false, run })
export const writes = (arity: number, run: Run): CommandSpec => ({ arity, writes: true, run })

export function fitsArity(spec: CommandSpec, args: readonly string[]): boolean {
  const given = args.length
  return spec.arity >= 0 ? given === spec.arity : given >= -spec.arity
}
