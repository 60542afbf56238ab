// A Worker in plain `workerd serve`, without Miniflare: the bundle, a configuration in workerd's own language, and
// the process, pinned to the proxies' core.
import { build } from 'esbuild'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { root } from '../tools/dev/bundle.ts'
import { PROXY_CORE, spawnPinned } from './cores.ts'

/** One of the gateway's Workers, as workerd's configuration names it. */
export interface WorkerPart {
  readonly name: string
  readonly script: string
  readonly compatibilityDate: string
  readonly compatibilityFlags?: readonly string[]
  /** In workerd's language: `(name = "A", text = "b")`. */
  readonly bindings?: readonly string[]
  /** A class with SQLite, kept in a folder of its own. */
  readonly objects?: readonly string[]
}

export interface WorkerdOptions {
  readonly dir: string
  readonly parts: readonly WorkerPart[]
  /** The parts that can be reached, each on a port of its own. */
  readonly sockets: readonly string[]
  readonly v8Flags?: readonly string[]
  readonly args?: readonly string[]
}

export interface RunningWorkerd {
  readonly pid: number
  /** By part. */
  readonly ports: ReadonlyMap<string, number>
  stop(): Promise<void>
}

/** With the options of tools/dev/bundle.ts, and so of `wrangler deploy`. */
export async function bundle(entry: string, files: Record<string, string> = {}): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    external: ['cloudflare:*', 'node:*'],
    alias: files,
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}

export const text = (name: string, value: string): string =>
  `(name = ${quote(name)}, text = ${quote(value)})`

export const objects = (name: string, className: string): string =>
  `(name = ${quote(name)}, durableObjectNamespace = ${quote(className)})`

export const d1 = (name: string, service: string): string =>
  `(name = ${quote(name)}, wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [(name = "fetcher", service = ${quote(service)})]))`

const quote = (value: string): string => JSON.stringify(value)

export async function startWorkerd(options: WorkerdOptions): Promise<RunningWorkerd> {
  const { dir, parts, sockets } = options
  for (const part of parts) {
    mkdirSync(join(dir, part.name), { recursive: true })
    writeFileSync(join(dir, `${part.name}.js`), part.script)
  }
  writeFileSync(join(dir, 'config.capnp'), configOf(options))
  const child = spawnPinned(
    PROXY_CORE,
    [
      join(root, 'node_modules/workerd/bin/workerd'),
      'serve',
      '--experimental',
      '--control-fd=3',
      ...(options.args ?? []),
      join(dir, 'config.capnp'),
    ],
    // What a Worker logs costs it the writing, and nobody reads it here.
    { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
  )
  const ports = await readPorts(child, sockets)
  return {
    pid: child.pid ?? 0,
    ports,
    stop: () => end(child),
  }
}

const namespaceOf = (part: WorkerPart, className: string): string =>
  `(className = ${quote(className)}, uniqueKey = ${quote(`${part.name}-${className}`)}, enableSql = true)`

function configOf({ dir, parts, sockets, v8Flags = [] }: WorkerdOptions): string {
  const services = parts.flatMap((part) => {
    const bindings = (part.bindings ?? []).join(', ')
    const flags = (part.compatibilityFlags ?? []).map(quote).join(', ')
    const storage =
      part.objects === undefined
        ? ''
        : `durableObjectNamespaces = [${part.objects.map((name) => namespaceOf(part, name)).join(', ')}],
      durableObjectStorage = (localDisk = ${quote(`${part.name}-disk`)}),`
    const disk = `(name = ${quote(`${part.name}-disk`)}, disk = (path = ${quote(join(dir, part.name))}, writable = true))`
    return [
      `(name = ${quote(part.name)}, worker = (
      modules = [(name = "index.js", esModule = embed ${quote(`${part.name}.js`)})],
      compatibilityDate = ${quote(part.compatibilityDate)}, compatibilityFlags = [${flags}],
      ${storage}
      bindings = [${bindings}], globalOutbound = "internet"))`,
      ...(part.objects === undefined ? [] : [disk]),
    ]
  })
  const listening = sockets.map(
    (name) =>
      `(name = ${quote(name)}, address = "127.0.0.1:0", http = (), service = ${quote(name)})`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${services.join(',\n    ')},
    (name = "internet", network = (allow = ["public", "private"]))
  ],
  sockets = [${listening.join(', ')}],
  v8Flags = [${v8Flags.map(quote).join(', ')}]
);
`
}

async function readPorts(
  child: ChildProcess,
  sockets: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>()
  const control = child.stdio[3]
  if (!(control instanceof Readable)) throw new Error('workerd has no control pipe')
  const died = new Promise<never>((_, reject) =>
    child.once('exit', (code) => reject(new Error(`workerd ended at start with code ${code}`))),
  )
  died.catch(() => {})
  const listening = (async () => {
    for await (const line of createInterface({ input: control })) {
      const said = JSON.parse(line) as { event: string; socket?: string; port?: number }
      if (said.event !== 'listen') continue
      ports.set(said.socket ?? '', said.port ?? 0)
      if (ports.size === sockets.length) return
    }
  })()
  await Promise.race([listening, died])
  return ports
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
