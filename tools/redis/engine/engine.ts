// The Redis engine: finds and runs commands, one unit (a command, a script, a transaction) at a time, and hands the
// journal what each unit changed.
import { ScriptRunner } from '../lua/script-runner.ts'
import type { CommandContext, CommandSpec, CommandTable } from './command.ts'
import { fitsArity } from './command.ts'
import { hashCommands } from './commands-hashes.ts'
import { keyCommands } from './commands-keys.ts'
import { scriptCommands } from './commands-scripts.ts'
import { listCommands } from './commands-lists.ts'
import { serverCommands } from './commands-server.ts'
import { setCommands } from './commands-sets.ts'
import { sortedSetCommands } from './commands-sorted-sets.ts'
import { stringCommands } from './commands-strings.ts'
import { Database } from './database.ts'
import { CommandError, wrongArity } from './reply.ts'
import type { Failure, Reply } from './reply.ts'

export type Command = readonly string[]

export interface Journal {
  /** Takes the effects of one unit: all of them are replayed or none. */
  append(effects: readonly Command[]): void
}

export interface EngineOptions {
  readonly journal?: Journal
  readonly clock?: () => number
  /** A script that runs longer is stopped. */
  readonly longestScriptMs?: number
}

const forbiddenInScripts = new Set(['EVAL', 'EVAL_RO', 'EVALSHA', 'EVALSHA_RO', 'SCRIPT'])

export class Engine {
  readonly db: Database
  /** Commands run for clients, and those run inside scripts. */
  readonly counts = { commands: 0, scriptCommands: 0 }
  readonly #table: ReadonlyMap<string, CommandSpec>
  readonly #context: CommandContext
  readonly #clock: () => number
  #journal: Journal | undefined
  #effects: Command[] = []
  #recorded = false

  constructor(options: EngineOptions = {}) {
    this.#clock = options.clock ?? Date.now
    this.#journal = options.journal
    this.db = new Database((key) => this.#effects.push(['DEL', key]))
    this.#context = { db: this.db, record: (...effect) => this.#record(effect) }
    const runner = new ScriptRunner(
      (args, readOnly) => this.#callFromScript(args, readOnly),
      options.longestScriptMs,
    )
    this.#table = tableOf(
      stringCommands,
      hashCommands,
      listCommands,
      setCommands,
      sortedSetCommands,
      keyCommands,
      serverCommands,
      scriptCommands(runner),
    )
  }

  /** Runs one command as a unit of its own. */
  run(command: Command): Reply {
    return this.#unit(() => this.#attempt(command))
  }

  /** Runs all commands as one unit, or none if one of them could not even be queued. */
  runTransaction(commands: readonly Command[]): readonly Reply[] | Failure {
    try {
      for (const command of commands) this.#find(command)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      return { failure: 'EXECABORT Transaction discarded because of previous errors.' }
    }
    return this.#unit(() => commands.map((command) => this.#attempt(command)))
  }

  /** Takes in what a journal kept. Time stands still at the beginning, so that nothing expires on the way. */
  replay(effects: readonly Command[]): void {
    this.db.now = Number.NEGATIVE_INFINITY
    for (const command of effects) this.#attempt(command)
    this.#effects = []
  }

  /** Removes expired keys among the next `budget` candidates. */
  sweep(budget: number): void {
    this.#unit(() => this.db.sweep(budget))
  }

  /** From now on units are kept there. */
  attachJournal(journal: Journal): void {
    this.#journal = journal
  }

  #unit<T>(work: () => T): T {
    this.db.now = this.#clock()
    try {
      return work()
    } finally {
      const effects = this.#effects
      if (effects.length > 0) {
        this.#effects = []
        this.#journal?.append(effects)
      }
    }
  }

  #attempt(command: Command): Reply {
    this.counts.commands++
    try {
      return this.#call(this.#find(command), command)
    } catch (error) {
      if (error instanceof CommandError) return { failure: error.message }
      throw error
    }
  }

  #callFromScript(command: Command, readOnly: boolean): Reply {
    this.counts.scriptCommands++
    const spec = this.#findForScript(command)
    if (spec.writes && readOnly) {
      throw new CommandError('ERR Write commands are not allowed from read-only scripts.')
    }
    return this.#call(spec, command)
  }

  #findForScript(command: Command): CommandSpec {
    const name = command[0]?.toUpperCase() ?? ''
    if (forbiddenInScripts.has(name)) {
      throw new CommandError('ERR This Redis command is not allowed from script')
    }
    const spec = this.#table.get(name)
    if (spec === undefined) throw new CommandError('ERR Unknown Redis command called from script')
    if (!fitsArity(spec, command)) {
      throw new CommandError('ERR Wrong number of args calling Redis command from script')
    }
    return spec
  }

  #find(command: Command): CommandSpec {
    const [name = '', ...args] = command
    const spec = this.#table.get(name.toUpperCase())
    if (spec === undefined) throw unknownCommand(name, args)
    if (!fitsArity(spec, command)) throw wrongArity(name.toLowerCase())
    return spec
  }

  #call(spec: CommandSpec, command: Command): Reply {
    const args = command.slice(1)
    if (!spec.writes) return spec.run(this.#context, args)
    const changes = this.db.changes
    this.#recorded = false
    const reply = spec.run(this.#context, args)
    if (!this.#recorded && this.db.changes !== changes) this.#effects.push(command)
    return reply
  }

  #record(effect: Command): void {
    this.#recorded = true
    this.#effects.push(effect)
  }
}

function tableOf(...tables: readonly CommandTable[]): ReadonlyMap<string, CommandSpec> {
  return new Map(tables.flatMap((table) => Object.entries(table)))
}

function unknownCommand(name: string, args: readonly string[]): CommandError {
  const shown = args.map((argument) => `'${argument.slice(0, 128)}' `)
  const beginning = shown.join('').slice(0, 128)
  return new CommandError(
    `ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${beginning}`,
  )
}
