// A list of models, less those that the key may not use. Untouched where the key may use all.
import { mayUseEveryModel, mayUseModel } from '../core/keys/allowed-models.ts'
import type { Caller } from '../ports.ts'

interface ModelList {
  data?: readonly { readonly id?: unknown }[]
  first_id?: unknown
  last_id?: unknown
}

export async function filterModels(caller: Caller, answer: Response): Promise<Response> {
  if (mayUseEveryModel(caller) || answer.status !== 200) return answer
  const list = (await answer.json()) as ModelList
  const data = (list.data ?? []).filter(
    ({ id }) => typeof id === 'string' && mayUseModel(caller, id),
  )
  const filtered = {
    ...list,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
  const headers = new Headers(answer.headers)
  headers.delete('content-length')
  return new Response(JSON.stringify(filtered), { status: 200, headers })
}
