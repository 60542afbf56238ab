// Completes package-lock.json for platforms whose binary packages the registry did not offer when it was made.
// `npm ci` refuses a lockfile in which an optional platform package is missing, even one for another platform.
// Such entries are written without an integrity hash: npm takes it from the registry on the platform that needs them.
// Run after each `npm install`: node tools/lockfile/complete.mjs
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
  'windows',
]
const processors = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64']

let added = 0
for (const [owner, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${owner}/node_modules/${name}`
    const hoisted = `node_modules/${name}`
    if (owner === '' || lock.packages[nested] || lock.packages[hoisted]) continue
    const parts = name.split(/[/-]/)
    const system = systems.find((s) => parts.includes(s))
    const processor = processors.find((p) => parts.includes(p))
    if (!system || !/^\d/.test(version)) continue
    lock.packages[hoisted] = {
      version,
      ...(processor && { cpu: [processor] }),
      ...(entry.dev && { dev: true }),
      ...(parts.includes('musl') && { libc: ['musl'] }),
      ...((parts.includes('gnu') || parts.includes('glibc')) && { libc: ['glibc'] }),
      optional: true,
      os: [system === 'windows' ? 'win32' : system],
    }
    added++
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
)
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`added ${added} platform packages`)
