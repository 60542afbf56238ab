// The list of models, which clients fetch before their first message.
import type { Check } from '../check.ts'
import { ensureError } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import { asList, asObject, asText } from '../json.ts'
import { ensureOk, readJson, type Target } from '../target.ts'

const group = 'models'

export const modelChecks: readonly Check[] = [
  {
    group,
    name: 'the list of models has Claude’s shape',
    async run(target) {
      const list = await listModels(target)
      ensure(typeof list['has_more'] === 'boolean', 'has_more is missing')
      const ids = asList(list['data'], 'data').map((model) =>
        asText(asObject(model, 'a model')['id'], 'id'),
      )
      ensure(ids.length > 0, 'the list is empty')
      ensure(list['first_id'] === ids[0], 'first_id is not the first of the list')
      ensure(list['last_id'] === ids.at(-1), 'last_id is not the last of the list')
      return `${ids.length} models`
    },
  },
  {
    group,
    name: 'the model of these checks can be retrieved by its id',
    async run(target) {
      const answer = await target.call(`/v1/models/${encodeURIComponent(target.model)}`)
      ensureOk(answer)
      ensure(readJson(answer)['type'] === 'model', 'its type is not "model"')
    },
  },
  {
    group,
    name: 'a model that does not exist is 404 in Claude’s shape',
    async run(target) {
      const answer = await target.call('/v1/models/claude-unheard-of-9')
      ensureError(answer, { status: 404, type: 'not_found_error' })
    },
  },
]

async function listModels(target: Target) {
  const answer = await target.call('/v1/models?limit=1000')
  ensureOk(answer)
  return readJson(answer)
}
