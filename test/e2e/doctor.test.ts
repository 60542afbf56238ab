// The doctor's checks, each as a test of the gateway; and the doctor itself: a gateway that is spoiled in one thing
// fails the check that is for it.
import { spawn } from 'node:child_process'
import { beforeAll, describe, expect, test } from 'vitest'
import { type CheckResult, runCheck } from '../../tools/doctor/check.ts'
import { checks } from '../../tools/doctor/checks.ts'
import { ensureOrder, parseStream, usageOf } from '../../tools/doctor/sse.ts'
import { Target } from '../../tools/doctor/target.ts'
import { captures } from '../support/captures.ts'
import { repositoryRoot } from '../support/gateway-process.ts'
import { defectsFor } from '../support/gateway-defects.ts'
import { type Defect, spoiled } from '../support/gateway-spoiler.ts'
import { sharedGateway } from '../support/gateway.ts'

const gateway = sharedGateway()
const MODEL = 'claude-haiku-4-5'

const targetAt = (url: string, key = gateway.keys.enterprise): Target =>
  new Target({ url, key, model: MODEL, origin: 'http://localhost:3000' })

describe('the gateway', () => {
  const target = targetAt(gateway.url)
  beforeAll(() => target.connect())

  test.each(checks.map((check) => [`${check.group}: ${check.name}`, check] as const))(
    '%s',
    async (_, check) => {
      const result = await runCheck(check, target)
      // Only what this gateway does not have at all may be skipped.
      if (result.outcome === 'skip') expect(result.reason).toBe('this gateway has no admin plane')
      else expect(`${result.outcome}: ${result.reason}`).toMatch(/^pass: /)
    },
  )
})

const noCaptures =
  captures.length === 0 ? ' (skipped: the recorded streams are not beside the repository)' : ''
test.skipIf(noCaptures !== '')(
  `streams that Claude itself has sent are in order${noCaptures}`,
  () => {
    for (const { name, bytes } of captures) {
      const events = parseStream(new TextDecoder().decode(bytes))
      expect(() => ensureOrder(events), name).not.toThrow()
      expect(usageOf(events).output, name).toBeGreaterThan(0)
    }
  },
)

describe('a gateway that', () => {
  test('is not spoiled passes through the proxy of these tests', () =>
    spoiled(gateway.url, {}, async (url) => {
      for (const result of await resultsOf(url)) {
        expect(`${result.name}: ${result.outcome} ${result.reason}`).toMatch(/: (pass|skip) /)
      }
    }))

  test.each(defectsFor({ key: gateway.keys.enterprise, adminToken: gateway.adminToken }))(
    '%s fails the checks that are for it',
    (_, defect, names) =>
      spoiled(gateway.url, defect, async (url) => {
        const results = await resultsOf(url, names)
        expect(results.map(({ name }) => name).toSorted()).toEqual([...names].toSorted())
        for (const { name, outcome, reason } of results) {
          expect([name, outcome]).toEqual([name, 'fail'])
          expect(reason).not.toBe('')
        }
      }),
  )

  test('answers all with a bare 500 passes no check that asks for anything', () => {
    const broken: Defect = {
      answer: (answered) => {
        answered.status = 500
        answered.headers = new Headers()
        answered.body = 'nope'
      },
    }
    return spoiled(gateway.url, broken, async (url) => {
      const passed = (await resultsOf(url)).filter(({ outcome }) => outcome !== 'fail')
      // These two say only what must not be there.
      expect(passed.map(({ name }) => name)).toEqual([
        'a retry-after is whole seconds within reason, and comes with a true x-should-retry',
        'no answer tells whose account or network is behind it',
      ])
    })
  })

  test('answers nothing any more once a caller has left fails', () => {
    let hasLeft = false
    const stuck: Defect = {
      ask: (asked) => {
        if (hasLeft) asked.path = '/stuck'
        hasLeft ||= asked.body.includes('long story')
      },
    }
    const name = 'a caller may leave in the middle of a stream, and the next call is answered'
    return spoiled(gateway.url, stuck, async (url) => {
      expect((await resultsOf(url, [name])).map(({ outcome }) => outcome)).toEqual(['fail'])
    })
  })
})

async function resultsOf(url: string, names?: readonly string[]): Promise<CheckResult[]> {
  const target = targetAt(url)
  await target.connect()
  const results: CheckResult[] = []
  for (const check of checks) {
    if (names?.includes(check.name) ?? true) results.push(await runCheck(check, target))
  }
  return results
}

test("the key's own rate limit is waited for, and is no failure", () => {
  let refusals = 0
  const limited: Defect = {
    answer: (answered) => {
      if (refusals++ > 0) return
      answered.status = 429
      answered.headers.set('sluice-reason', 'tenant_requests')
      answered.headers.set('retry-after', '1')
    },
  }
  return spoiled(gateway.url, limited, async (url) => {
    const waits: number[] = []
    const target = new Target({
      url,
      key: gateway.keys.enterprise,
      model: MODEL,
      origin: 'http://localhost:3000',
      onWait: (seconds) => void waits.push(seconds),
    })
    expect((await target.call('/v1/models')).status).toBe(200)
    expect(waits).toEqual([1])
  })
})

describe('the command', () => {
  test('prints one line a check and a summary, and ends with 0', async () => {
    const { code, stdout } = await doctor('--url', gateway.url, '--key', gateway.keys.enterprise)
    expect(stdout).toMatch(/^ {2}pass +\d+ ms {2}GET \/health/m)
    expect(stdout).toMatch(/^Conforms: http:\S+, \d+ passed, 0 failed/m)
    expect(code).toBe(0)
  })

  test('ends with 1 and says why where a check fails; --json gives one document', async () => {
    const leak: Defect = { answer: ({ headers }) => headers.set('set-cookie', 'a=b') }
    const { code, stdout } = await spoiled(gateway.url, leak, (url) =>
      doctor('--url', url, '--key', gateway.keys.enterprise, '--json'),
    )
    const report = JSON.parse(stdout) as {
      failed: number
      checks: { name: string; outcome: string; reason: string; ms: number }[]
    }
    expect(code).toBe(1)
    expect(report.failed).toBe(1)
    expect(report.checks.find(({ outcome }) => outcome === 'fail')?.reason).toContain('set-cookie')
    expect(stdout).not.toContain(gateway.keys.enterprise)
  })

  test("holds Claude's API itself to Claude's protocol only", async () => {
    const { stdout } = await doctor(
      '--url',
      gateway.simulatorUrl,
      '--key',
      'sk-ant-sim-doctor',
      '--json',
    )
    const report = JSON.parse(stdout) as {
      checks: { name: string; outcome: string; reason: string }[]
    }
    const failed = report.checks.filter(({ outcome }) => outcome === 'fail')
    // The simulator takes any text as a key.
    expect(failed.map(({ name }) => name)).toEqual([
      'a text that is no key is refused with 401',
      'a key with a wrong check is refused with 401',
    ])
    expect(report.checks).toContainEqual(
      expect.objectContaining({ outcome: 'skip', reason: 'not a Sluice gateway' }),
    )
  })

  test('ends with 2 where nobody answers, or nothing was asked', async () => {
    const nobody = await spoiled(gateway.url, {}, (url) => Promise.resolve(url))
    const { code, stderr } = await doctor('--url', nobody, '--key', 'slk_x')
    expect(code).toBe(2)
    expect(stderr).toContain(`Cannot reach ${nobody}`)
    expect((await doctor()).code).toBe(2)
  })
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function doctor(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['tools/doctor/main.ts', ...args], { cwd: repositoryRoot })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}
