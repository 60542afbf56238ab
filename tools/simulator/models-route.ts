// GET /v1/models and GET /v1/models/:id.
import { notFound } from './api-error.ts'
import type { Exchange } from './exchange.ts'
import type { JsonObject } from './json.ts'
import { findModel, MODELS, type Model } from './models.ts'
import { pageOf } from './paging.ts'
import { contextOf } from './request-context.ts'
import { sendValue } from './respond.ts'

const YES = { supported: true }

export function listModels(exchange: Exchange): void {
  contextOf(exchange)
  sendValue(exchange, pageOf(MODELS.map(describe), exchange.query))
}

export function getModel(exchange: Exchange, id: string): void {
  contextOf(exchange)
  const model = findModel(id)
  if (model === undefined) throw notFound(`model: ${id}`)
  sendValue(exchange, describe(model))
}

function describe(model: Model): JsonObject & { id: string } {
  return {
    type: 'model',
    id: model.id,
    display_name: model.displayName,
    created_at: model.createdAt,
    lifecycle: model.lifecycle,
    line: model.line,
    deprecated_at: null,
    retires_at: null,
    max_input_tokens: model.maxInputTokens,
    max_tokens: model.maxOutputTokens,
    capabilities: {
      batch: YES,
      citations: YES,
      code_execution: YES,
      image_input: YES,
      pdf_input: YES,
      structured_outputs: YES,
      thinking: {
        supported: true,
        types: { adaptive: YES, between_tools: YES, disabled: YES, enabled: YES },
      },
    },
  }
}
