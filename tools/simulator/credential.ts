// Who calls. Any non-empty key is good; its text names the organization and workspace, so a test can
// have as many accounts as it likes without setting them up: `sk-ant-sim-<org>[-<workspace>]`.
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ApiError } from './api-error.ts'

export interface Caller {
  org: string
  workspace: string
  organizationId: string
  workspaceId: string
}

const PREFIX = 'sk-ant-sim-'
const KNOWN_LIMIT = 10_000
const known = new Map<string, Caller>()

export function identify(headers: IncomingHttpHeaders): Caller {
  const key = credentialOf(headers)
  if (key === '') throw new ApiError(401, 'x-api-key header is required')
  const name = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : 'default'
  if (name === 'invalid' || name.startsWith('invalid-'))
    throw new ApiError(401, 'invalid x-api-key')
  if (name === 'forbidden' || name.startsWith('forbidden-')) {
    throw new ApiError(403, 'Your API key does not have permission to use the specified resource')
  }
  return callerNamed(name)
}

export function credentialOf(headers: IncomingHttpHeaders): string {
  const key = headers['x-api-key']
  if (typeof key === 'string' && key.trim() !== '') return key.trim()
  const match = /^bearer\s+(.+)$/i.exec(headers.authorization ?? '')
  return match?.[1]?.trim() ?? ''
}

function callerNamed(name: string): Caller {
  const found = known.get(name)
  if (found !== undefined) return found
  const [org = 'default', workspace = 'default'] = name.split('-')
  const caller: Caller = {
    org: org === '' ? 'default' : org,
    workspace: workspace === '' ? 'default' : workspace,
    organizationId: uuidOf(org),
    workspaceId: `wrkspc_01${digest(`${org}/${workspace}`).slice(0, 22)}`,
  }
  if (known.size >= KNOWN_LIMIT) known.clear()
  known.set(name, caller)
  return caller
}

function uuidOf(name: string): string {
  const hex = digest(name)
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`]
  return [...parts, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-')
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
