// One whole gateway with so many tenants and keys, and what its workerd has used.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cpuUsOf, rssKbOf } from '../cores.ts'
import { populate, type Population } from './populate.ts'

interface Ready {
  readonly url: string
  readonly admin_token: string
}

const root = join(import.meta.dirname, '../..')

export class BenchGateway {
  readonly keys: readonly string[]
  readonly population: Population
  readonly #ready: Ready
  readonly #child: ChildProcess
  readonly #dir: string
  readonly #pid: number
  readonly #agent = new Agent({ keepAlive: true })

  private constructor(made: {
    readonly keys: readonly string[]
    readonly population: Population
    readonly ready: Ready
    readonly child: ChildProcess
    readonly dir: string
  }) {
    this.keys = made.keys
    this.population = made.population
    this.#ready = made.ready
    this.#child = made.child
    this.#dir = made.dir
    this.#pid = workerdUnder(made.child.pid ?? 0)
  }

  static async start(population: Population, upstream: string): Promise<BenchGateway> {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-tenants-'))
    const command = ['tools/dev/main.ts', '--direct', '--json', '--port', '0', '--state', dir]
    const child = spawn(process.execPath, command, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ANTHROPIC_BASE_URL: upstream,
        // What is read in the background is not what is measured.
        SLUICE_KEY_CACHE_MS: '600000',
      },
    })
    const ready = await new Promise<Ready>((resolve) =>
      createInterface({ input: child.stdout }).once('line', (line) =>
        resolve(JSON.parse(line) as Ready),
      ),
    )
    const keys = await populate(dir, population)
    return new BenchGateway({ keys, population, ready, child, dir })
  }

  cpuUs(): number {
    return cpuUsOf(this.#pid)
  }

  rssMb(): number {
    return rssKbOf(this.#pid) / 1024
  }

  /** A body that is no request: only the key is looked at. */
  async askWith(key: string): Promise<number> {
    const { status, tookUs } = await this.#send('POST', '/v1/messages', { 'x-api-key': key }, '{}')
    if (status !== 400) throw new Error(`Expected 400, got ${status}`)
    return tookUs
  }

  async call(key: string): Promise<number> {
    const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01' }
    const body =
      '{"model":"claude-haiku-5-5","max_tokens":16,"messages":[{"role":"user","content":"a"}]}'
    const { status, tookUs } = await this.#send('POST', '/v1/messages', headers, body)
    if (status !== 200) throw new Error(`Expected 200, got ${status}`)
    return tookUs
  }

  async admin(
    path: string,
  ): Promise<{ readonly tookUs: number; readonly nextPage: string | null }> {
    const headers = { authorization: `Bearer ${this.#ready.admin_token}` }
    const { status, tookUs, text } = await this.#send('GET', `/admin/v1${path}`, headers)
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    return {
      tookUs,
      nextPage: (JSON.parse(text) as { next_page?: string | null }).next_page ?? null,
    }
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    const gone = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGTERM')
    await gone
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 })
  }

  #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<{ readonly status: number; readonly tookUs: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const startedAt = performance.now()
      const options = {
        agent: this.#agent,
        method,
        headers: { ...headers, 'content-type': 'application/json' },
      }
      request(`${this.#ready.url}${path}`, options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            tookUs: (performance.now() - startedAt) * 1000,
            text,
          }),
        )
      })
        .on('error', reject)
        .end(body)
    })
  }
}

/** Among those that this process has started, at any depth. */
function workerdUnder(ancestor: number): number {
  const parents = new Map<number, { readonly parent: number; readonly name: string }>()
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8')
      const parent = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0)
      parents.set(Number(entry), { parent, name: /^Name:\t(.*)$/m.exec(status)?.[1] ?? '' })
    } catch {
      // It ended while we looked.
    }
  }
  const isUnder = (pid: number): boolean => {
    if (pid === ancestor) return true
    const found = parents.get(pid)
    return found !== undefined && found.parent > 1 && isUnder(found.parent)
  }
  for (const [pid, { name }] of parents) if (name === 'workerd' && isUnder(pid)) return pid
  throw new Error('Cannot find the workerd process of the gateway')
}
