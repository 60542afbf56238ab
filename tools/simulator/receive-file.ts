// Takes in one multipart upload: the `file` part goes to disk, small fields are kept, and a caller
// that leaves midway leaves nothing behind.
import { createWriteStream, rmSync, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { ApiError, invalid } from './api-error.ts'
import type { Exchange } from './exchange.ts'
import { FILE_QUOTA_BYTES, type StoredFile } from './files.ts'
import { boundaryOf, MultipartReader, type PartHead } from './multipart.ts'
import { mix, Random } from './random.ts'

const MAX_FILE_BYTES = 500 * 1024 * 1024
const MAX_FIELD_BYTES = 4_096

/** Resolves undefined when the caller went away. */
export async function receiveFile(exchange: Exchange): Promise<StoredFile | undefined> {
  const { sim, req, caller } = exchange
  const boundary = boundaryOf(req.headers['content-type'])
  if (boundary === undefined) throw invalid('file: Field required')
  const id = `file_01${new Random(mix(sim.seed, exchange.n, 5)).base62(22)}`
  const path = sim.files.pathOf(id)
  const upload = new Upload(createWriteStream(path), FILE_QUOTA_BYTES - sim.files.usedBytes())
  const reader = new MultipartReader(boundary, upload)
  try {
    for await (const chunk of req) {
      feed(reader, chunk as Buffer)
      if (upload.mustWait) await once(upload.sink, 'drain')
    }
    await upload.close()
    if (!reader.isDone || upload.fileHead === undefined) throw invalid('file: Field required')
  } catch (error) {
    upload.sink.destroy()
    rmSync(path, { force: true })
    if (error instanceof ApiError) throw error
    return undefined
  }
  const now = sim.now()
  const seconds = Number(upload.fields.get('expires_in_seconds') ?? Number.NaN)
  return {
    id,
    workspaceId: caller.workspaceId,
    filename: upload.fileHead.filename ?? 'file',
    mimeType: upload.fileHead.contentType ?? 'application/octet-stream',
    sizeBytes: upload.sizeBytes,
    createdAtMs: now,
    expiresAtMs: Number.isFinite(seconds) ? now + seconds * 1_000 : null,
  }
}

function feed(reader: MultipartReader, chunk: Buffer): void {
  try {
    reader.push(chunk)
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw invalid('The multipart form cannot be read')
  }
}

class Upload {
  readonly sink: WriteStream
  readonly fields = new Map<string, string>()
  fileHead: PartHead | undefined
  sizeBytes = 0
  mustWait = false
  #head: PartHead | undefined
  #quotaBytes: number

  constructor(sink: WriteStream, quotaBytes: number) {
    this.sink = sink
    this.#quotaBytes = quotaBytes
    sink.on('drain', () => {
      this.mustWait = false
    })
    // A failed disk shows up where the sink is waited for.
    sink.on('error', () => undefined)
  }

  head(head: PartHead): void {
    this.#head = head
    if (head.name === 'file' || head.filename !== null) this.fileHead = head
  }

  data(bytes: Buffer): void {
    const head = this.#head
    if (head === undefined) return
    if (head !== this.fileHead) {
      const text = (this.fields.get(head.name) ?? '') + bytes.toString()
      this.fields.set(head.name, text.slice(0, MAX_FIELD_BYTES))
      return
    }
    this.sizeBytes += bytes.length
    if (this.sizeBytes > MAX_FILE_BYTES) throw new ApiError(413, 'File exceeds the maximum size')
    if (this.sizeBytes > this.#quotaBytes) {
      throw new ApiError(403, 'The file storage of the organization is full.', {
        details: { error_code: 'storage_quota_exceeded' },
      })
    }
    if (!this.sink.write(bytes)) this.mustWait = true
  }

  end(): void {
    this.#head = undefined
  }

  async close(): Promise<void> {
    this.sink.end()
    if (!this.sink.writableFinished) await once(this.sink, 'finish')
  }
}
