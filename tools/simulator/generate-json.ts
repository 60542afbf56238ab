// A value that fits a JSON schema: the inputs of tool calls and structured outputs. Required
// properties are always there, optional ones sometimes.
import { isObject, type JsonObject } from './json.ts'
import type { Random } from './random.ts'

const MAX_DEPTH = 8
const WORDS = ['alpha', 'Berlin', 'café', 'delta', 'Kyoto', 'north', 'report', 'São Paulo', 'value']

export function valueFor(random: Random, schema: unknown, depth = 0): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return null
  if ('const' in schema) return schema['const']
  if ('default' in schema && random.chance(0.5)) return schema['default']
  if (Array.isArray(schema['enum']) && schema['enum'].length > 0) return random.pick(schema['enum'])
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const options = schema[key]
    if (Array.isArray(options) && options.length > 0) {
      return valueFor(random, random.pick(options), depth + 1)
    }
  }
  return byType(random, schema, depth)
}

function byType(random: Random, schema: JsonObject, depth: number): unknown {
  const declared = Array.isArray(schema['type']) ? schema['type'][0] : schema['type']
  switch (declared ?? ('properties' in schema ? 'object' : 'string')) {
    case 'object':
      return objectFor(random, schema, depth)
    case 'array':
      return arrayFor(random, schema, depth)
    case 'integer':
      return Math.round(numberFor(random, schema))
    case 'number':
      return Math.round(numberFor(random, schema) * 100) / 100
    case 'boolean':
      return random.chance(0.5)
    case 'null':
      return null
    default:
      return stringFor(random, schema)
  }
}

function objectFor(random: Random, schema: JsonObject, depth: number): JsonObject {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  const result: JsonObject = {}
  for (const [name, property] of Object.entries(properties)) {
    if (!required.has(name) && !random.chance(0.4)) continue
    result[name] = valueFor(random, property, depth + 1)
  }
  return result
}

function arrayFor(random: Random, schema: JsonObject, depth: number): unknown[] {
  const least = typeof schema['minItems'] === 'number' ? schema['minItems'] : 1
  const most = typeof schema['maxItems'] === 'number' ? schema['maxItems'] : least + 2
  const length = least + random.int(Math.max(1, most - least + 1))
  return Array.from({ length }, () => valueFor(random, schema['items'], depth + 1))
}

function numberFor(random: Random, schema: JsonObject): number {
  const least = typeof schema['minimum'] === 'number' ? schema['minimum'] : 1
  const most = typeof schema['maximum'] === 'number' ? schema['maximum'] : least + 99
  return least + random.next() * (most - least)
}

function stringFor(random: Random, schema: JsonObject): string {
  switch (schema['format']) {
    case 'date':
      return `2026-0${1 + random.int(9)}-1${random.int(10)}`
    case 'date-time':
      return `2026-0${1 + random.int(9)}-1${random.int(10)}T08:00:00Z`
    case 'email':
      return `${random.base62(6).toLowerCase()}@example.com`
    case 'uri':
      return `https://example.com/${random.base62(6)}`
    default:
      return random.pick(WORDS)
  }
}
