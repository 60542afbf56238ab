// `npm run doctor`: the conformance checks against a running gateway, or against Claude's API itself.
import { parseArgs } from 'node:util'
import { type CheckResult, runCheck } from './check.ts'
import { checks } from './checks.ts'
import { renderJson, renderLine, renderSummary, summarize } from './report.ts'
import { Target } from './target.ts'

const usage = `npm run doctor -- --url U --key K [--model M] [--origin O] [--json]
  --url U     the gateway, such as http://127.0.0.1:8787
  --key K     a key of it; a few thousand tokens are spent with it
  --model M   the model to ask (claude-haiku-4-5)
  --origin O  a browser origin that the key's tenant allows (http://localhost:3000)
  --json      one JSON document instead of lines
Exit code 0: all that apply passed; 1: one failed; 2: could not be examined.
`

const UNUSABLE = 2

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      key: { type: 'string' },
      model: { type: 'string', default: 'claude-haiku-4-5' },
      origin: { type: 'string', default: 'http://localhost:3000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const { url, key, model, origin, json } = values
  if (url === undefined || key === undefined || !URL.canParse(url)) {
    process.stderr.write(usage)
    return UNUSABLE
  }
  const onWait = (seconds: number) =>
    process.stderr.write(`the key's rate limit is reached: waiting for ${seconds} s\n`)
  const target = new Target({ url, key, model, origin, onWait })
  try {
    await target.connect()
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    process.stderr.write(
      `Cannot reach ${url}: ${cause instanceof Error ? cause.message : String(cause)}\n`,
    )
    return UNUSABLE
  }
  const results = await runAll(target, !json)
  const summary = summarize(results)
  process.stdout.write(
    json ? `${renderJson(target.url, results)}\n` : `\n${renderSummary(target.url, summary)}\n`,
  )
  return summary.failed === 0 ? 0 : 1
}

async function runAll(target: Target, isShown: boolean): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  let group = ''
  for (const check of checks) {
    const result = await runCheck(check, target)
    results.push(result)
    if (!isShown) continue
    if (check.group !== group) process.stdout.write(`\n${check.group}\n`)
    group = check.group
    process.stdout.write(`${renderLine(result)}\n`)
  }
  return results
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = UNUSABLE
  },
)
