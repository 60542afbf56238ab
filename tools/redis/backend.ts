// What stands behind the REST bridge: the embedded engine or a real Redis server.
import type { Command } from './engine/engine.ts'
import type { Failure, Reply } from './engine/reply.ts'

export interface Backend {
  readonly kind: 'embedded' | 'redis'
  readonly counts: { readonly commands: number; readonly scriptCommands: number }
  /** Answers come in order; one that fails does not stop the others. */
  pipeline(commands: readonly Command[]): Promise<readonly Reply[]>
  /** All in one step, or a failure and nothing done. */
  transaction(commands: readonly Command[]): Promise<readonly Reply[] | Failure>
  close(): Promise<void>
}
