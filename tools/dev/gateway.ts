// Starts the gateway and its neighbours in order, and stops them in reverse.
import { join } from 'node:path'
import { parseConfig } from '../../src/config.ts'
import { bundleWorker, watchWorker } from './bundle.ts'
import { newKey, seed } from './seed.ts'
import { findChildren, type Part, startPart } from './processes.ts'
import { endLeftovers, openSecrets, type ReadyLine, writeReadyLine } from './state.ts'
import { startWorker } from './worker.ts'

export interface GatewayOptions {
  readonly port: number
  readonly direct: boolean
  readonly dir: string
  readonly quiet: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  onPartExit(name: string): void
}

export interface Gateway {
  readonly ready: ReadyLine
  stop(): Promise<void>
}

const script = (path: string): string => join(import.meta.dirname, path)
const isSetting = (name: string): boolean =>
  /^(SLUICE_|ANTHROPIC_|UPSTASH_REDIS_REST_)/.test(name) ||
  name === 'ADMIN_TOKEN' ||
  name === 'KEY_PEPPER'

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  await endLeftovers(options.dir)
  const parts: Part<unknown>[] = []
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const end of stops.toReversed()) await end()
  }
  let stopped = false
  const part = async <Ready>(name: string, path: string, args: string[]): Promise<Ready> => {
    const started = await startPart<Ready>(script(path), args)
    parts.push(started)
    stops.push(() => endPart(started))
    started.child.once('exit', () => stopped || options.onPartExit(name))
    return started.ready
  }
  try {
    const given = Object.entries(options.env).filter(
      (entry): entry is [string, string] => isSetting(entry[0]) && entry[1] !== undefined,
    )
    const secrets = openSecrets(options.dir, newKey)
    const settings: Record<string, string> = {
      ADMIN_TOKEN: secrets.adminToken,
      KEY_PEPPER: secrets.pepper,
      ...Object.fromEntries(given),
    }
    const bundling = bundleWorker()
    bundling.catch(() => {})
    const [upstream, redis] = await Promise.all([
      chooseUpstream(settings, part),
      chooseRedis(settings, options, part, secrets.redisToken),
    ])
    // Here rather than in the Worker's own start: the list of problems is then all that is printed.
    parseConfig(settings)
    const bundle = await bundling
    const worker = await startWorker(bundle, {
      port: options.port,
      host: '127.0.0.1',
      direct: options.direct,
      dir: options.dir,
      bindings: settings,
      quiet: options.quiet,
    })
    stops.push(() => worker.stop())
    await seed(worker.db, { pepper: settings['KEY_PEPPER'] ?? '', keys: secrets.keys })
    if (!options.direct) {
      stops.push(
        await watchWorker(
          (next) => void worker.replace(next).then(() => console.error('reloaded')),
          (message) => console.error(`not reloaded: ${message}`),
        ),
      )
    }
    const pids = [
      process.pid,
      ...parts.flatMap(({ child }) => child.pid ?? []),
      ...findChildren(process.pid, 'workerd'),
    ]
    const reaper = await startPart(
      script('./reaper.ts'),
      pids.filter((pid) => pid !== process.pid).map(String),
    )
    stops.unshift(() => endPart(reaper))
    const ready: ReadyLine = {
      ready: true,
      url: worker.url,
      admin_token: settings['ADMIN_TOKEN'] ?? '',
      keys: secrets.keys,
      redis,
      upstream,
      pids: [...pids, reaper.child.pid ?? 0],
    }
    writeReadyLine(options.dir, ready)
    return {
      ready,
      stop: () => {
        stopped = true
        return stop()
      },
    }
  } catch (error) {
    stopped = true
    await stop()
    throw error
  }
}

type StartNamedPart = <Ready>(name: string, path: string, args: string[]) => Promise<Ready>

/** ANTHROPIC_BASE_URL given: no simulator. Otherwise the simulator, for every account that names no address. */
async function chooseUpstream(
  settings: Record<string, string>,
  part: StartNamedPart,
): Promise<string> {
  const given = settings['ANTHROPIC_BASE_URL']
  if (settings['ANTHROPIC_API_KEY'] === undefined && settings['ANTHROPIC_ACCOUNTS'] === undefined) {
    settings['ANTHROPIC_API_KEY'] = 'sk-ant-sim-dev'
  }
  if (given !== undefined) return given
  const simulator = await part<{ url: string }>('the Claude simulator', '../simulator/main.ts', [
    '--port=0',
    '--json',
    '--exit-with-parent',
  ])
  settings['ANTHROPIC_BASE_URL'] = simulator.url
  return 'simulator'
}

/** UPSTASH_REDIS_REST_URL given: that one. REDIS_URL given: a real server behind the bridge. Else the embedded one. */
async function chooseRedis(
  settings: Record<string, string>,
  options: GatewayOptions,
  part: StartNamedPart,
  token: string,
): Promise<string> {
  const given = settings['UPSTASH_REDIS_REST_URL']
  if (given !== undefined) return given
  const server = options.env['REDIS_URL']
  const bridge = await part<{ url: string; token: string }>('Redis', '../redis/main.ts', [
    '--port=0',
    `--token=${token}`,
    '--exit-with-parent',
    ...(server === undefined ? [`--dir=${join(options.dir, 'redis')}`] : [`--redis-url=${server}`]),
  ])
  settings['UPSTASH_REDIS_REST_URL'] = bridge.url
  settings['UPSTASH_REDIS_REST_TOKEN'] = bridge.token
  return server ?? 'embedded'
}

async function endPart({ child }: Part<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await gone
  clearTimeout(late)
}
