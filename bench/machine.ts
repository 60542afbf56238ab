// Where a run was made.
import { readFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'

export interface Machine {
  readonly cores: string
  readonly kernel: string
  readonly node: string
  readonly workerd: string
}

export function describeMachine(): Machine {
  const version = (name: string): string =>
    (
      JSON.parse(
        readFileSync(join(import.meta.dirname, '../node_modules', name, 'package.json'), 'utf8'),
      ) as { version: string }
    ).version
  return {
    cores: `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    kernel: release(),
    node: process.version,
    workerd: version('workerd'),
  }
}
