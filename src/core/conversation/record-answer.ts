// Puts a streamed answer together again as the Message that Claude would have sent at once: block by block from its
// events, tool input and signatures to the byte. Kinds of deltas that are not known yet follow the common rule: text
// is appended to the field of its name, anything else replaces it.
import { elementsOf, type Field, fieldOf, fieldsIn, printFields, readString } from './json-parts.ts'

interface OpenBlock {
  /** The block as it began. */
  readonly start: string
  /** Texts that deltas added, by field. */
  readonly texts: Map<string, string>
  /** Values that deltas gave, by field, as written. */
  readonly values: Map<string, string>
  readonly citations: string[]
  input: string
}

export class AnswerRecorder {
  #message: string | null = null
  readonly #blocks = new Map<number, OpenBlock>()
  readonly #deltas: (readonly Field[])[] = []
  #isComplete = false

  /** One event of a Messages stream: its name and its data's text, which is valid JSON. */
  push(type: string, data: string): void {
    const fields = fieldsIn(data)
    switch (type) {
      case 'message_start':
        this.#message = fieldOf(fields, 'message') ?? null
        break
      case 'content_block_start':
        this.#begin(fields)
        break
      case 'content_block_delta':
        this.#add(fields)
        break
      case 'message_delta':
        this.#deltas.push(fields)
        break
      case 'message_stop':
        this.#isComplete = true
        break
    }
  }

  /** The whole Message's text; null while it is not complete. */
  message(): string | null {
    if (this.#message === null || !this.#isComplete) return null
    const ordered = [...this.#blocks].toSorted(([a], [b]) => a - b)
    const blocks = ordered.map(([, block]) => printBlock(block))
    let fields = replace(fieldsIn(this.#message), 'content', `[${blocks.join(',')}]`)
    for (const event of this.#deltas) {
      for (const { name, value } of fieldsIn(fieldOf(event, 'delta') ?? '{}')) {
        fields = replace(fields, name, value)
      }
      const usage = fieldOf(event, 'usage')
      if (usage === undefined) continue
      let merged = fieldsIn(objectOr(fieldOf(fields, 'usage')))
      for (const { name, value } of fieldsIn(usage)) merged = replace(merged, name, value)
      fields = replace(fields, 'usage', printFields(merged))
    }
    return printFields(fields)
  }

  #begin(event: readonly Field[]): void {
    this.#blocks.set(indexOf(event), {
      start: objectOr(fieldOf(event, 'content_block')),
      texts: new Map(),
      values: new Map(),
      citations: [],
      input: '',
    })
  }

  #add(event: readonly Field[]): void {
    const block = this.#blocks.get(indexOf(event))
    if (block === undefined) return
    const delta = fieldsIn(objectOr(fieldOf(event, 'delta')))
    const type = readString(fieldOf(delta, 'type'))
    if (type === 'input_json_delta') {
      block.input += readString(fieldOf(delta, 'partial_json')) ?? ''
      return
    }
    for (const { name, value } of delta) {
      if (name === 'type') continue
      const text = readString(value)
      if (type === 'citations_delta' && name === 'citation') block.citations.push(value)
      else if (text === null) block.values.set(name, value)
      else block.texts.set(name, (block.texts.get(name) ?? '') + text)
    }
  }
}

function printBlock(block: OpenBlock): string {
  let fields = fieldsIn(block.start)
  for (const [name, value] of block.values) fields = replace(fields, name, value)
  for (const [name, text] of block.texts) {
    const before = readString(fieldOf(fields, name)) ?? ''
    fields = replace(fields, name, JSON.stringify(before + text))
  }
  if (block.input !== '') fields = replace(fields, 'input', block.input)
  if (block.citations.length > 0) {
    const before = fieldOf(fields, 'citations')
    const kept = before?.startsWith('[') === true ? elementsOf(before) : []
    fields = replace(fields, 'citations', `[${[...kept, ...block.citations].join(',')}]`)
  }
  return fields.length === fieldsIn(block.start).length && isUntouched(block)
    ? block.start
    : printFields(fields)
}

const isUntouched = ({ texts, values, citations, input }: OpenBlock): boolean =>
  texts.size === 0 && values.size === 0 && citations.length === 0 && input === ''

/** In its place where it is there, else at the end. */
function replace(fields: readonly Field[], name: string, value: string): readonly Field[] {
  if (!fields.some((field) => field.name === name)) return [...fields, { name, value }]
  return fields.map((field) => (field.name === name ? { name, value } : field))
}

const indexOf = (event: readonly Field[]): number => Number(fieldOf(event, 'index') ?? -1)

const objectOr = (value: string | undefined): string =>
  value?.startsWith('{') === true ? value : '{}'
