// Judges a Messages body as Claude does, for both API versions. What passes is a MessagesRequest.
import { invalid, notFound } from './api-error.ts'
import {
  isDictionary,
  isFlag,
  isInteger,
  isListOf,
  isNumberIn,
  isOneOf,
  isText,
  optional,
  refuseExtras,
  required,
} from './check-fields.ts'
import { isObject, type JsonObject } from './json.ts'
import { findModel, type Model } from './models.ts'
import { countMarkers } from './prompt-cache.ts'
import type { MessagesRequest } from './request-types.ts'
import { checkMessages, checkSystem } from './validate-messages.ts'
import { checkToolChoice, checkTools } from './validate-tools.ts'

export const OLD_VERSION = '2023-06-01'
export const NEW_VERSION = '2026-10-21'
export const THREADS_BETA = 'message-threads-2026-08-12'
const MAX_MARKERS = 4

const COMMON_FIELDS = [
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'cache_control',
  'output_config',
]
const COUNT_FIELDS: ReadonlySet<string> = new Set(COMMON_FIELDS)
const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
  ...COMMON_FIELDS,
  'max_tokens',
  'stream',
  'stop_sequences',
  'metadata',
  'service_tier',
  'container',
  'diagnostics',
  'inference_geo',
  'speed',
])
const SAMPLING_FIELDS = ['temperature', 'top_p', 'top_k']

export interface RequestContext {
  version: string
  betas: readonly string[]
}

export function validateMessages(body: unknown, context: RequestContext): MessagesRequest {
  const object = bodyObject(body)
  checkKnownFields(object, MESSAGE_FIELDS, context)
  const model = checkModel(object)
  isInteger(0)(required(object, 'max_tokens'), 'max_tokens')
  checkMaxTokens(object, model)
  checkCommon(object, context)
  optional(object, 'stream', isFlag)
  optional(object, 'stop_sequences', isListOf(isText))
  checkSampling(object, context)
  optional(object, 'metadata', isDictionary)
  optional(object, 'service_tier', isOneOf('auto', 'standard_only'))
  return object as MessagesRequest
}

export function validateCount(body: unknown, context: RequestContext): MessagesRequest {
  const object = bodyObject(body)
  checkKnownFields(object, COUNT_FIELDS, context)
  checkModel(object)
  checkCommon(object, context)
  return object as MessagesRequest
}

export function checkVersion(version: string | undefined): string {
  if (version === undefined || version === '') {
    throw invalid('anthropic-version: header is required')
  }
  if (version !== OLD_VERSION && version !== NEW_VERSION) {
    throw invalid(`anthropic-version: "${version}" is not a valid version`)
  }
  return version
}

function bodyObject(body: unknown): JsonObject {
  if (!isObject(body)) throw invalid('Input should be a valid dictionary')
  return body
}

/** A beta may bring fields that the simulator has never heard of, so with one any field passes. */
function checkKnownFields(
  object: JsonObject,
  known: ReadonlySet<string>,
  context: RequestContext,
): void {
  if (object['thread'] !== undefined && !context.betas.includes(THREADS_BETA)) {
    throw invalid('thread: Extra inputs are not permitted')
  }
  if (context.betas.length > 0) return
  const sampling = context.version === OLD_VERSION ? SAMPLING_FIELDS : []
  refuseExtras(object, sampling.length > 0 ? new Set([...known, ...sampling]) : known)
}

function checkModel(object: JsonObject): Model {
  const id = required(object, 'model')
  isText(id, 'model')
  if (id === '') throw invalid('model: String should have at least 1 character')
  const model = findModel(String(id))
  if (model === undefined) throw notFound(`model: ${String(id)}`)
  return model
}

function checkMaxTokens(object: JsonObject, model: Model): void {
  const asked = Number(object['max_tokens'])
  if (asked <= model.maxOutputTokens) return
  throw invalid(
    `max_tokens: ${asked} > ${model.maxOutputTokens}, which is the maximum allowed number of output tokens for ${model.id}`,
  )
}

function checkCommon(object: JsonObject, context: RequestContext): void {
  checkTools(object['tools'])
  checkToolChoice(object)
  checkSystem(object['system'])
  checkMessages(required(object, 'messages'), {
    mayBeEmpty: isObject(object['thread']) && object['thread']['type'] === 'continue',
    continues: isObject(object['thread']) && object['thread']['type'] === 'continue',
  })
  checkThinking(object, context)
  const markers = countMarkers(object)
  if (markers > MAX_MARKERS) {
    throw invalid(
      `A maximum of ${MAX_MARKERS} blocks with cache_control may be provided. Found ${markers}.`,
    )
  }
}

/** The new version knows no sampling fields at all, whatever betas are named. */
function checkSampling(object: JsonObject, context: RequestContext): void {
  if (context.version === NEW_VERSION) {
    for (const field of SAMPLING_FIELDS) {
      if (object[field] !== undefined) throw invalid(`${field}: Extra inputs are not permitted`)
    }
    return
  }
  optional(object, 'temperature', isNumberIn(0, 1))
  optional(object, 'top_p', isNumberIn(0, 1))
  optional(object, 'top_k', isInteger(0))
}

function checkThinking(object: JsonObject, context: RequestContext): void {
  const thinking = object['thinking']
  if (thinking === undefined || thinking === null) return
  isDictionary(thinking, 'thinking')
  const config = thinking as JsonObject
  const known = ['enabled', 'disabled', 'adaptive', 'between_tools']
  // With a beta named there may be kinds of thinking that are not known yet.
  if (context.betas.length === 0)
    isOneOf(...known)(required(config, 'type', 'thinking.'), 'thinking.type')
  if (config['type'] !== 'enabled') return
  const path = 'thinking.enabled.budget_tokens'
  isInteger(1_024)(required(config, 'budget_tokens', 'thinking.enabled.'), path)
  const most = object['max_tokens']
  if (typeof most === 'number' && Number(config['budget_tokens']) >= most) {
    throw invalid(
      '`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size',
    )
  }
}
