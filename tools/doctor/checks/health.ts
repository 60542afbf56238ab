// Is it there, and are its parts?
import type { Check } from '../check.ts'
import { ensure } from '../failure.ts'
import { asObject, type JsonObject } from '../json.ts'
import { ensureOk, readJson } from '../target.ts'

const group = 'health'

export const healthChecks: readonly Check[] = [
  {
    group,
    name: 'GET /health answers 200 without a key',
    sluiceOnly: true,
    run: async (target) => ensureOk(await target.call('/health', { withKey: false })),
  },
  {
    group,
    name: 'GET /ready names each part with its state and milliseconds',
    sluiceOnly: true,
    async run(target) {
      const answer = await target.call('/ready', { withKey: false })
      const body = readJson(answer)
      ensure(answer.status === 200, `status ${answer.status}: ${answer.text.slice(0, 200)}`)
      const parts = findParts(body)
      ensure(
        parts.length >= 2,
        `no parts with state and milliseconds: ${answer.text.slice(0, 160)}`,
      )
      return parts.map(([name]) => name).join(', ')
    },
  },
  {
    group,
    name: 'HEAD /api/hello answers 200',
    async run(target) {
      const answer = await target.call('/api/hello', { method: 'HEAD', withKey: false })
      ensureOk(answer)
      ensure(answer.text === '', 'an answer to HEAD has a body')
    },
  },
]

/** Objects that carry a number of milliseconds, at any depth: the parts that were asked. */
function findParts(value: JsonObject, path = ''): [string, JsonObject][] {
  return Object.entries(value).flatMap(([name, part]) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return []
    const object = asObject(part, name)
    const here = path === '' ? name : `${path}.${name}`
    const timed = Object.entries(object).some(
      ([field, ms]) => /(^|_)ms$|milliseconds/.test(field) && typeof ms === 'number',
    )
    return timed ? [[here, object] as [string, JsonObject]] : findParts(object, here)
  })
}
