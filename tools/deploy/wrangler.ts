// Runs wrangler as a user would, but quietly and without questions: what it says comes back as text.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

export interface WranglerResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface WranglerOptions {
  /** Shows its output while it runs, besides giving it back. */
  readonly show?: boolean
}

const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
}

/** What is read by us, and not by a person at once, needs no colors. */
const PLAIN = { FORCE_COLOR: '0', NO_COLOR: '1' }

export function wrangler(
  args: readonly string[],
  { show = false }: WranglerOptions = {},
): Promise<WranglerResult> {
  // Its own file on this Node: what stands in .bin would take whatever Node is first on the path.
  const script = join(root, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...QUIET, ...(show ? {} : PLAIN) },
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      if (show) process[name].write(text)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, ...output }))
  })
}

/** What it said of a failure, without the log file's path and empty lines. */
export function reasonOf({ stdout, stderr }: WranglerResult): string {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.includes('Logs were written')).join('\n')
}
