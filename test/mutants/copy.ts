// A copy of the project in a temporary folder, where faults can be put in and taken out without touching the source.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mutant } from './mutant.ts'

export const root = join(import.meta.dirname, '../..')

const COPIED = [
  'src',
  'durable-objects',
  'test',
  'tools',
  'migrations',
  'wrangler.toml',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]
// A fault may make a test wait for ever; its own limits end most of them long before.
const TEST_WITHIN_MS = 180_000

/** The source with the fault in it; throws where its place is not found exactly once. */
export function mutate(source: string, { fault, file, from, to }: Mutant): string {
  const places = source.split(from).length - 1
  if (places !== 1) {
    throw new Error(`Cannot apply "${fault}": its place is found ${places} times in ${file}`)
  }
  return source.replace(from, () => to)
}

export class ProjectCopy {
  readonly #dir = mkdtempSync(join(tmpdir(), 'sluice-mutants-'))

  constructor() {
    for (const name of COPIED) {
      cpSync(join(root, name), join(this.#dir, name), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(this.#dir, 'node_modules'))
  }

  /** True when the named test ran and failed with the fault in place. */
  async isKilled(mutant: Mutant): Promise<boolean> {
    const path = join(this.#dir, mutant.file)
    const original = readFileSync(path, 'utf8')
    writeFileSync(path, mutate(original, mutant))
    try {
      const { failed, ran } = await this.#test(mutant)
      if (!ran) {
        throw new Error(`Cannot judge "${mutant.fault}": no test is called "${mutant.killedBy[1]}"`)
      }
      return failed
    } finally {
      writeFileSync(path, original)
    }
  }

  /** Whether the tests pass without any fault: a test that fails anyway kills nothing. */
  async passes(file: string, titles: readonly string[]): Promise<boolean> {
    const title = titles.map(escaped).join('|')
    const { failed, ran } = await this.#run(file, title)
    return ran && !failed
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #test({ killedBy: [file, title] }: Mutant): Promise<TestRun> {
    return this.#run(file, escaped(title))
  }

  async #run(file: string, title: string): Promise<TestRun> {
    const output = join(this.#dir, 'report.json')
    rmSync(output, { force: true })
    const reporter = ['--reporter', 'json', '--outputFile', output]
    const args = ['vitest', 'run', '--project', projectOf(file), file, '-t', title, ...reporter]
    const options = { cwd: this.#dir, stdio: 'ignore', timeout: TEST_WITHIN_MS } as const
    await ended(spawn('npx', args, { ...options, detached: true }))
    return readReport(output)
  }
}

interface TestRun {
  readonly failed: boolean
  readonly ran: boolean
}

/** A run that was cut off has failed; one that could not even collect its tests says nothing. */
function readReport(output: string): TestRun {
  try {
    const report = JSON.parse(readFileSync(output, 'utf8')) as {
      readonly numFailedTests: number
      readonly numPassedTests: number
    }
    const { numFailedTests, numPassedTests } = report
    return { failed: numFailedTests > 0, ran: numFailedTests + numPassedTests > 0 }
  } catch {
    return { failed: true, ran: true }
  }
}

const ended = (child: ReturnType<typeof spawn>): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => {
      endGroup(child.pid)
      resolve()
    })
  })

/** A test that a fault has made endless runs on in a process of its own. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // All have ended by themselves.
  }
}

const projectOf = (file: string): string => file.split('/')[1] ?? ''

const escaped = (title: string): string => title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
