// Rules that pick a fault without the client's help: by organization, model, path or tag, the nth
// match, a probability, and how often in all.
import { invalid } from './api-error.ts'
import { parseFaults, type FaultPlan } from './faults.ts'
import { isObject, textField, type JsonObject } from './json.ts'
import { hash32, mix, Random } from './random.ts'

export interface RuleSubject {
  n: number
  org: string
  workspace: string
  model: string | null
  path: string
  tag: string | null
}

interface Rule {
  id: string
  match: JsonObject
  fault: string
  plan: FaultPlan
  /** Faults left to hand out; null is no end. */
  left: number | null
  seen: number
  hits: number
}

const MATCH_FIELDS: ReadonlySet<string> = new Set([
  'org',
  'workspace',
  'model',
  'path',
  'tag',
  'nth',
  'every',
  'first',
  'probability',
])

export class FaultRules {
  #rules: Rule[] = []
  #nextId = 1
  #seed: number

  constructor(seed: number) {
    this.#seed = seed
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0
  }

  /** A rule by model can be judged only once the body has been read. */
  get needModel(): boolean {
    return this.#rules.some((rule) => rule.match['model'] !== undefined)
  }

  add(input: unknown): JsonObject {
    if (!isObject(input) || typeof input['fault'] !== 'string') {
      throw invalid('simulator: a rule needs a fault')
    }
    const match = isObject(input['match']) ? input['match'] : {}
    for (const field of Object.keys(match)) {
      if (!MATCH_FIELDS.has(field)) throw invalid(`simulator: unknown match field "${field}"`)
    }
    const rule: Rule = {
      id: `rule_${this.#nextId++}`,
      match,
      fault: input['fault'],
      plan: parseFaults(input['fault']),
      left: typeof input['count'] === 'number' ? input['count'] : null,
      seen: 0,
      hits: 0,
    }
    this.#rules.push(rule)
    return view(rule)
  }

  list(): JsonObject[] {
    return this.#rules.map(view)
  }

  remove(id: string): void {
    this.#rules = this.#rules.filter((rule) => rule.id !== id)
  }

  /** Numbers start again, since a rule's number seeds its probability. */
  clear(): void {
    this.#rules = []
    this.#nextId = 1
  }

  /** The first rule that matches and still has a fault to give. */
  pick(subject: RuleSubject): FaultPlan | undefined {
    for (const rule of this.#rules) {
      if (!describes(rule.match, subject)) continue
      rule.seen++
      if (rule.left === 0 || !this.#isTurn(rule, subject.n)) continue
      if (rule.left !== null) rule.left--
      rule.hits++
      return rule.plan
    }
    return undefined
  }

  #isTurn(rule: Rule, n: number): boolean {
    const { nth, every, first, probability } = rule.match
    if (typeof nth === 'number' && rule.seen !== nth) return false
    if (typeof every === 'number' && rule.seen % every !== 0) return false
    if (typeof first === 'number' && rule.seen > first) return false
    if (typeof probability !== 'number') return true
    return new Random(mix(this.#seed, n, hash32(rule.id))).chance(probability)
  }
}

function describes(match: JsonObject, subject: RuleSubject): boolean {
  for (const field of ['org', 'workspace', 'model', 'tag'] as const) {
    if (match[field] !== undefined && match[field] !== subject[field]) return false
  }
  return match['path'] === undefined || subject.path.startsWith(textField(match, 'path'))
}

function view(rule: Rule): JsonObject {
  const { id, match, fault, left, seen, hits } = rule
  return { id, match, fault, count_left: left, seen, hits }
}
