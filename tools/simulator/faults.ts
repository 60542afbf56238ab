// The grammar of faults, the same in a header, a rule and the command line:
//   name[=value][;param=value]...[, name...]
// docs/SIMULATOR.md lists the names. A name that is not known is refused, so that a typo in a test is
// seen at once.
import { invalid } from './api-error.ts'

export interface StatusFault {
  status: number
  /** `ramp`, `spend` or `contract` for the special 429s. */
  kind: string
  retryAfter: string | undefined
  message: string | undefined
  type: string | undefined
  shouldRetry: string | undefined
  html: boolean
}

export interface EndingFault {
  kind: 'stall' | 'reset' | 'truncate' | 'cut' | 'error'
  /** Events (or bytes) that are sent before it happens. */
  afterEvents: number | undefined
  afterBytes: number | undefined
  /** For a stall: go on after so long. */
  resumeMs: number | undefined
  errorType: string
}

export interface CannedFault {
  name: string
  status: number
  contentType: string
  /** `event` sends one SSE event at a time, `all` the whole body. */
  by: 'event' | 'all'
  gapMs: number
}

export interface FaultPlan {
  text: string
  status?: StatusFault
  hang?: { resumeMs: number | undefined }
  resetAtOnce?: boolean
  ending?: EndingFault
  canned?: CannedFault
  /** Nothing at all for so long. */
  slowMs?: number
  /** Headers at once, the body after so long. */
  slowBodyMs?: number
  /** Header lines trickle over so long. */
  slowHeadersMs?: number
  body?: 'bad-json' | 'empty' | 'wrong-type' | 'html'
  splitBytes?: number
  splitGapMs?: number
  gapMs?: number
  unknown?: 'event' | 'delta'
  pingEvery?: number
  padding?: boolean
  thread?: 'lost' | 'unsupported'
}

interface Directive {
  name: string
  value: string
  params: Record<string, string>
}

const KNOWN_PARAMS: ReadonlySet<string> = new Set([
  'after',
  'bytes',
  'by',
  'gap',
  'message',
  'ms',
  'retry-after',
  'should-retry',
  'split',
  'status',
  'type',
])

const plans = new Map<string, FaultPlan>()
const PLAN_LIMIT = 1_000

export function parseFaults(text: string): FaultPlan {
  const known = plans.get(text)
  if (known !== undefined) return known
  const plan: FaultPlan = { text }
  for (const part of text.split(',')) {
    if (part.trim() !== '') apply(plan, parseDirective(part))
  }
  if (plans.size >= PLAN_LIMIT) plans.clear()
  plans.set(text, plan)
  return plan
}

function parseDirective(part: string): Directive {
  const [head = '', ...rest] = part.split(';')
  const [name, value] = pair(head)
  const params: Record<string, string> = {}
  for (const item of rest) {
    const [key, paramValue] = pair(item)
    if (!KNOWN_PARAMS.has(key)) throw invalid(`simulator: unknown fault parameter "${key}"`)
    params[key] = paramValue
  }
  return { name, value, params }
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at === -1) return [text.trim().toLowerCase(), '']
  return [text.slice(0, at).trim().toLowerCase(), decodeURIComponent(text.slice(at + 1).trim())]
}

function apply(plan: FaultPlan, directive: Directive): void {
  const { name, value, params } = directive
  if (/^\d{3}$/.test(name)) plan.status = statusFault(Number(name), directive)
  else if (Object.hasOwn(ENDINGS, name)) applyEnding(plan, directive)
  else if (Object.hasOwn(MODIFIERS, name)) MODIFIERS[name]?.(plan, value, params)
  else throw invalid(`simulator: unknown fault "${name}"`)
  if (params['split'] !== undefined) plan.splitBytes = positive(params['split'], 'split')
}

function statusFault(status: number, { value, params }: Directive): StatusFault {
  return {
    status,
    kind: value,
    retryAfter: params['retry-after'],
    message: params['message'],
    type: params['type'],
    shouldRetry: params['should-retry'],
    // Claude's own edge answers a 502 with a page.
    html: status === 502 ? value !== 'json' : value === 'html',
  }
}

const ENDINGS: Record<string, EndingFault['kind']> = {
  stall: 'stall',
  reset: 'reset',
  truncate: 'truncate',
  cut: 'cut',
  error: 'error',
}

function applyEnding(plan: FaultPlan, { name, value, params }: Directive): void {
  const { after, bytes, ms, type } = params
  const kind = ENDINGS[name] ?? 'cut'
  if (kind === 'reset' && after === undefined && bytes === undefined) {
    plan.resetAtOnce = true
    return
  }
  plan.ending = {
    kind,
    afterEvents: bytes === undefined ? count(after ?? '0', 'after') : undefined,
    afterBytes: bytes === undefined ? undefined : count(bytes, 'bytes'),
    resumeMs: ms === undefined ? undefined : count(ms, 'ms'),
    errorType: type ?? (value === '' ? 'overloaded_error' : value),
  }
}

type Modifier = (plan: FaultPlan, value: string, params: Record<string, string>) => void

const MODIFIERS: Record<string, Modifier> = {
  hang: (plan, value, { ms }) => {
    const resume = ms ?? value
    plan.hang = { resumeMs: resume === '' ? undefined : count(resume, 'hang') }
  },
  slow: (plan, value) => {
    plan.slowMs = count(value, 'slow')
  },
  'slow-body': (plan, value) => {
    plan.slowBodyMs = count(value, 'slow-body')
  },
  'slow-headers': (plan, value) => {
    plan.slowHeadersMs = count(value, 'slow-headers')
  },
  'bad-json': (plan) => {
    plan.body = 'bad-json'
  },
  empty: (plan) => {
    plan.body = 'empty'
  },
  'wrong-type': (plan) => {
    plan.body = 'wrong-type'
  },
  html: (plan) => {
    plan.body = 'html'
  },
  split: (plan, value, { gap }) => {
    plan.splitBytes = positive(value, 'split')
    if (gap !== undefined) plan.splitGapMs = count(gap, 'gap')
  },
  gap: (plan, value) => {
    plan.gapMs = Number(value) || 0
  },
  unknown: (plan, value) => {
    plan.unknown = value === 'delta' ? 'delta' : 'event'
  },
  ping: (plan, value) => {
    plan.pingEvery = value === '' ? 1 : positive(value, 'ping')
  },
  padding: (plan, value) => {
    plan.padding = value !== '0' && value !== 'off'
  },
  'thread-lost': (plan) => {
    plan.thread = 'lost'
  },
  'thread-unsupported': (plan) => {
    plan.thread = 'unsupported'
  },
  canned: (plan, value, params) => {
    plan.canned = {
      name: value,
      status: count(params['status'] ?? '200', 'status'),
      contentType: params['type'] ?? 'text/event-stream; charset=utf-8',
      by: params['by'] === 'event' ? 'event' : 'all',
      gapMs: Number(params['gap'] ?? 0) || 0,
    }
  },
}

function count(text: string, what: string): number {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value) || value < 0) {
    throw invalid(`simulator: ${what} needs a number`)
  }
  return Math.floor(value)
}

function positive(text: string, what: string): number {
  const value = count(text, what)
  if (value < 1) throw invalid(`simulator: ${what} needs a number above zero`)
  return value
}
