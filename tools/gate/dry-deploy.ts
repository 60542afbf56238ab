// Builds what would be deployed, without an account, and holds it to its budget of size.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const root = join(import.meta.dirname, '..', '..')
/** Start-up time grows with the bundle; Workers take 10 MB, this is what we allow ourselves. */
const MAX_GZIP_BYTES = 200 * 1024

const out = mkdtempSync(join(tmpdir(), 'sluice-deploy-'))
try {
  execFileSync(
    join(root, 'node_modules', '.bin', 'wrangler'),
    ['deploy', '--dry-run', '--minify', '--outdir', out],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const bytes = gzipSync(readFileSync(join(out, 'index.js'))).byteLength
  console.log(`bundle: ${(bytes / 1024).toFixed(1)} KiB gzip of ${MAX_GZIP_BYTES / 1024} allowed`)
  if (bytes > MAX_GZIP_BYTES) process.exitCode = 1
} finally {
  rmSync(out, { recursive: true })
}
