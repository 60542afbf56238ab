// The routes of files. Uploads are read as they come and written to disk; downloads are read from it.
import { createHash } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import type { Exchange } from './exchange.ts'
import { showFile, type StoredFile } from './files.ts'
import { pageOf } from './paging.ts'
import { receiveFile } from './receive-file.ts'
import { contextOf } from './request-context.ts'
import { sendValue, writeHead } from './respond.ts'

export async function uploadFile(exchange: Exchange): Promise<void> {
  contextOf(exchange)
  const { sim, req, entry } = exchange
  const hash = createHash('sha256')
  req.on('data', (chunk: Buffer) => {
    entry.body_bytes += chunk.length
    if (sim.settings.hashBodies) hash.update(chunk)
  })
  const file = await receiveFile(exchange)
  if (file === undefined || exchange.finished) {
    if (file !== undefined) rmSync(sim.files.pathOf(file.id), { force: true })
    exchange.finish('aborted')
    return
  }
  if (sim.settings.hashBodies) entry.body_sha256 = hash.digest('hex')
  sim.files.add(file)
  sendValue(exchange, showFile(file))
}

export function listFiles(exchange: Exchange): void {
  contextOf(exchange)
  const { sim, caller, query } = exchange
  const params = new URLSearchParams(query)
  // The new version pages by an opaque token, which is the last id here.
  const token = params.get('page')
  if (token !== null) params.set('after_id', token)
  const page = pageOf(sim.files.list(caller.workspaceId), params.toString())
  const next = page.has_more ? page.last_id : null
  sendValue(exchange, { ...page, data: page.data.map(showFile), next_page: next })
}

export function getFile(exchange: Exchange, id: string): void {
  sendValue(exchange, showFile(find(exchange, id)))
}

export function deleteFile(exchange: Exchange, id: string): void {
  exchange.sim.files.delete(find(exchange, id))
  sendValue(exchange, { id, type: 'file_deleted' })
}

export function fileContent(exchange: Exchange, id: string): void {
  const file = find(exchange, id)
  writeHead(exchange, 200, [
    ['content-type', file.mimeType],
    ['content-length', String(file.sizeBytes)],
    ['content-disposition', `attachment; filename="${file.filename}"`],
  ])
  const bytes = createReadStream(exchange.sim.files.pathOf(id))
  bytes.on('data', (chunk) => exchange.sent(chunk.length))
  bytes.on('end', () => exchange.finish('completed'))
  bytes.on('error', () => exchange.res.destroy())
  exchange.onEnd.push(() => bytes.destroy())
  bytes.pipe(exchange.res)
}

function find(exchange: Exchange, id: string): StoredFile {
  contextOf(exchange)
  return exchange.sim.files.find(exchange.caller.workspaceId, id)
}
