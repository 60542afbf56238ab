// EVAL and its kin.
import type { Invocation, ScriptRunner } from '../lua/script-runner.ts'
import type { CommandTable } from './command.ts'
import { reads } from './command.ts'
import { parseCount } from './numbers.ts'
import { CommandError, OK, syntaxError, wrongArity } from './reply.ts'
import type { Reply } from './reply.ts'

/** `args` are the script, the number of keys, then keys and arguments. */
function invocation(args: readonly string[], readOnly: boolean): Invocation {
  const keys = parseCount(args[1] ?? '')
  if (keys < 0) throw new CommandError("ERR Number of keys can't be negative")
  if (keys > args.length - 2) {
    throw new CommandError("ERR Number of keys can't be greater than number of args")
  }
  return { keys: args.slice(2, 2 + keys), args: args.slice(2 + keys), readOnly }
}

export function scriptCommands(runner: ScriptRunner): CommandTable {
  const evaluate = (readOnly: boolean) =>
    reads(-3, (_, args) => runner.evaluate(args[0] ?? '', invocation(args, readOnly)))
  const evaluateHash = (readOnly: boolean) =>
    reads(-3, (_, args) => runner.evaluateHash(args[0] ?? '', invocation(args, readOnly)))
  return {
    EVAL: evaluate(false),
    EVAL_RO: evaluate(true),
    EVALSHA: evaluateHash(false),
    EVALSHA_RO: evaluateHash(true),
    SCRIPT: reads(-2, (_, args) => script(runner, args)),
  }
}

function script(runner: ScriptRunner, args: readonly string[]): Reply {
  const [word = '', ...rest] = args
  const [first = ''] = rest
  switch (word.toUpperCase()) {
    case 'LOAD':
      if (rest.length !== 1) throw wrongArity('script|load')
      return runner.load(first)
    case 'EXISTS':
      if (rest.length === 0) throw wrongArity('script|exists')
      return rest.map((hash) => (runner.has(hash) ? 1 : 0))
    case 'FLUSH':
      if (rest.length > 1 || !['', 'SYNC', 'ASYNC'].includes(first.toUpperCase())) {
        throw syntaxError()
      }
      runner.flush()
      return OK
    default:
      throw new CommandError(`ERR unknown subcommand '${word}'. Try SCRIPT HELP.`)
  }
}
