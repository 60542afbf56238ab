// Judges tool definitions and the choice among them.
import { invalid } from './api-error.ts'
import { isDictionary, isOneOf, isText, required } from './check-fields.ts'
import { isObject, type JsonObject } from './json.ts'

const NAME = /^[a-zA-Z0-9_-]{1,128}$/

export function checkTools(tools: unknown): void {
  if (tools === undefined || tools === null) return
  if (!Array.isArray(tools)) throw invalid('tools: Input should be a valid list')
  const names = new Set<string>()
  tools.forEach((tool, index) => {
    isDictionary(tool, `tools.${index}`)
    const name = checkTool(tool as JsonObject, `tools.${index}`)
    if (name === undefined) return
    if (names.has(name)) throw invalid('tools: Tool names must be unique.')
    names.add(name)
  })
}

function checkTool(tool: JsonObject, path: string): string | undefined {
  const kind = tool['type'] ?? 'custom'
  if (typeof kind !== 'string') throw invalid(`${path}.type: Input should be a valid string`)
  // Server tools have shapes of their own, and new ones come with betas.
  if (kind !== 'custom') return typeof tool['name'] === 'string' ? tool['name'] : undefined
  const name = required(tool, 'name', `${path}.custom.`)
  isText(name, `${path}.custom.name`)
  if (!NAME.test(String(name))) {
    throw invalid(`${path}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`)
  }
  const schema = required(tool, 'input_schema', `${path}.custom.`)
  isDictionary(schema, `${path}.custom.input_schema`)
  if ((schema as JsonObject)['type'] === undefined) {
    throw invalid(`${path}.custom.input_schema.type: Field required`)
  }
  isOneOf('object')((schema as JsonObject)['type'], `${path}.custom.input_schema.type`)
  return String(name)
}

export function checkToolChoice(object: JsonObject): void {
  const choice = object['tool_choice']
  if (choice === undefined || choice === null) return
  isDictionary(choice, 'tool_choice')
  const { type, name } = choice as JsonObject
  if (type === undefined) throw invalid('tool_choice.type: Field required')
  isOneOf('auto', 'any', 'tool', 'none')(type, 'tool_choice.type')
  const tools = Array.isArray(object['tools']) ? object['tools'] : []
  const continues = isObject(object['thread'])
  if (tools.length === 0 && !continues && type !== 'none') {
    throw invalid('tool_choice may only be specified while providing tools')
  }
  if (type !== 'tool') return
  isText(required(choice as JsonObject, 'name', 'tool_choice.tool.'), 'tool_choice.tool.name')
  const known = tools.some((tool) => isObject(tool) && tool['name'] === name)
  if (!known && !continues) {
    throw invalid(`tool_choice.tool.name: Tool '${String(name)}' not found in provided tools`)
  }
}
