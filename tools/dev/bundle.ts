// Builds the Worker into one module, as `wrangler deploy` does; `watch` calls back after each rebuild.
import { type BuildOptions, build, context } from 'esbuild'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

export interface Bundle {
  readonly script: string
}

const options: BuildOptions = {
  absWorkingDir: root,
  entryPoints: ['src/index.ts'],
  bundle: true,
  write: false,
  format: 'esm',
  target: 'es2024',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['workerd', 'worker', 'browser', 'import'],
  external: ['cloudflare:*', 'node:*'],
  logLevel: 'silent',
}

export async function bundleWorker(): Promise<Bundle> {
  return read(await build({ ...options, write: false }))
}

export async function watchWorker(
  onBuild: (bundle: Bundle) => void,
  onError: (message: string) => void,
): Promise<() => Promise<void>> {
  let first = true
  const watcher = await context({
    ...options,
    write: false,
    plugins: [
      {
        name: 'tell',
        setup: (builder) =>
          builder.onEnd((result) => {
            // The first build is the one that is already running.
            if (first) first = false
            else if (result.errors.length > 0) onError(result.errors.map((e) => e.text).join('; '))
            else onBuild(read(result))
          }),
      },
    ],
  })
  await watcher.watch()
  return () => watcher.dispose()
}

function read(result: { outputFiles?: { text: string }[] | undefined }): Bundle {
  const [file] = result.outputFiles ?? []
  if (!file) throw new Error('Cannot bundle the Worker: the build wrote nothing')
  return { script: file.text }
}
