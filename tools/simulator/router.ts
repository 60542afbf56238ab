// Which route answers. Written out by hand: two dozen paths need no router, and this one costs nothing.
import { ApiError, notFound } from './api-error.ts'
import {
  batchResults,
  cancelBatch,
  createBatch,
  deleteBatch,
  getBatch,
  listBatches,
} from './batches-route.ts'
import { postCountTokens } from './count-route.ts'
import type { Exchange } from './exchange.ts'
import { deleteFile, fileContent, getFile, listFiles, uploadFile } from './files-route.ts'
import { postMessages } from './messages-route.ts'
import { getModel, listModels } from './models-route.ts'
import { postChatCompletions } from './openai-route.ts'

type Answer = void | Promise<void>
type Plain = (exchange: Exchange) => Answer
type WithId = (exchange: Exchange, id: string) => Answer

const PLAIN: Record<string, Record<string, Plain>> = {
  '/v1/messages': { POST: postMessages },
  '/v1/messages/count_tokens': { POST: postCountTokens },
  '/v1/models': { GET: listModels },
  '/v1/messages/batches': { POST: createBatch, GET: listBatches },
  '/v1/files': { POST: uploadFile, GET: listFiles },
  '/v1/chat/completions': { POST: postChatCompletions },
}

const WITH_ID: [RegExp, Record<string, WithId>][] = [
  [/^\/v1\/models\/([^/]+)$/, { GET: getModel }],
  [/^\/v1\/messages\/batches\/([^/]+)$/, { GET: getBatch, DELETE: deleteBatch }],
  [/^\/v1\/messages\/batches\/([^/]+)\/cancel$/, { POST: cancelBatch }],
  [/^\/v1\/messages\/batches\/([^/]+)\/results$/, { GET: batchResults }],
  [/^\/v1\/files\/([^/]+)$/, { GET: getFile, DELETE: deleteFile }],
  [/^\/v1\/files\/([^/]+)\/content$/, { GET: fileContent }],
]

export function route(exchange: Exchange): Answer {
  const { path } = exchange
  const method = exchange.req.method ?? 'GET'
  const plain = PLAIN[path]
  if (plain !== undefined) return chosen(plain, method)(exchange)
  for (const [pattern, byMethod] of WITH_ID) {
    const id = pattern.exec(path)?.[1]
    if (id !== undefined) return chosen(byMethod, method)(exchange, decodeURIComponent(id))
  }
  throw notFound('Not found')
}

function chosen<T>(byMethod: Record<string, T>, method: string): T {
  const found = byMethod[method]
  if (found === undefined) throw new ApiError(405, 'Method Not Allowed')
  return found
}
