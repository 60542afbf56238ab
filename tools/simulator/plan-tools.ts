// Whether to call a tool, which one, and with what. Forced by `tool_choice` or the `[sim:tool]` marker,
// else when the prompt names a tool, else now and then.
import type { PlannedBlock } from './answer-plan.ts'
import { valueFor } from './generate-json.ts'
import type { JsonObject } from './json.ts'
import type { Markers } from './markers.ts'
import type { Random } from './random.ts'
import { blocksOf, type MessagesRequest } from './request-types.ts'
import { estimateTokens } from './tokens.ts'

const UNASKED = 0.2

interface ToolQuestion {
  request: MessagesRequest
  prompt: string
  markers: Markers
  random: Random
  ids: Random
}

export function toolCalls(question: ToolQuestion): PlannedBlock[] {
  const names = namesToCall(question)
  return names.map((name) => {
    const tool = clientTools(question.request).find((candidate) => candidate['name'] === name)
    const input = valueFor(question.random, tool?.['input_schema'] ?? { type: 'object' })
    const json = JSON.stringify(input)
    const id = `toolu_01${question.ids.base62(22)}`
    return { type: 'tool_use', id, name, input, json, tokens: estimateTokens(name + json) }
  })
}

function namesToCall(question: ToolQuestion): string[] {
  const { request, markers, prompt, random } = question
  const names = clientTools(request).map((tool) => String(tool['name']))
  const first = names[0]
  const choice = request.tool_choice
  if (first === undefined || choice?.type === 'none') return []
  if (choice?.type === 'tool') return [choice.name ?? first]
  if (markers.tool !== undefined) {
    const asked = markers.tool.split(',').filter((name) => names.includes(name))
    return asked.length > 0 ? asked : [first]
  }
  if (choice?.type === 'any') return [random.pick(names)]
  if (answersTool(request)) return []
  // Other markers ask for an answer of their own.
  if (Object.keys(markers).length > 0) return []
  const named = names.find((name) => prompt.includes(name))
  if (named !== undefined) return [named]
  return random.chance(UNASKED) ? [random.pick(names)] : []
}

function clientTools(request: MessagesRequest): JsonObject[] {
  return (request.tools ?? []).filter((tool) => 'input_schema' in tool)
}

function answersTool(request: MessagesRequest): boolean {
  const last = request.messages.at(-1)
  return last !== undefined && blocksOf(last.content).some((block) => block.type === 'tool_result')
}
