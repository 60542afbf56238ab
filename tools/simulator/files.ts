// The uploaded files: what is known of them in memory, their bytes in a temporary folder.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { notFound } from './api-error.ts'
import type { JsonObject } from './json.ts'

export const FILE_QUOTA_BYTES = 2 * 1024 * 1024 * 1024

export interface StoredFile {
  id: string
  workspaceId: string
  filename: string
  mimeType: string
  sizeBytes: number
  createdAtMs: number
  expiresAtMs: number | null
}

export class FileStore {
  #files = new Map<string, StoredFile>()
  #folder: string | undefined
  #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Where the bytes of a file lie; the folder is made at the first upload. */
  pathOf(id: string): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'claude-simulator-'))
    return join(this.#folder, id)
  }

  add(file: StoredFile): void {
    this.#files.set(file.id, file)
  }

  usedBytes(): number {
    let bytes = 0
    for (const file of this.#files.values()) bytes += file.sizeBytes
    return bytes
  }

  find(workspaceId: string, id: string): StoredFile {
    const file = this.#files.get(id)
    const expired = (file?.expiresAtMs ?? Number.POSITIVE_INFINITY) <= this.#now()
    if (file === undefined || file.workspaceId !== workspaceId || expired) {
      throw notFound(`File not found: ${id}`)
    }
    return file
  }

  /** Newest first. */
  list(workspaceId: string): StoredFile[] {
    const own = [...this.#files.values()].filter((file) => file.workspaceId === workspaceId)
    return own.toReversed()
  }

  delete(file: StoredFile): void {
    this.#files.delete(file.id)
    rmSync(this.pathOf(file.id), { force: true })
  }

  clear(): void {
    this.#files.clear()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
    this.#folder = undefined
  }
}

export function showFile(file: StoredFile): JsonObject & { id: string } {
  return {
    type: 'file',
    id: file.id,
    filename: file.filename,
    mime_type: file.mimeType,
    size_bytes: file.sizeBytes,
    created_at: new Date(file.createdAtMs).toISOString(),
    expires_at: file.expiresAtMs === null ? null : new Date(file.expiresAtMs).toISOString(),
    downloadable: true,
  }
}
