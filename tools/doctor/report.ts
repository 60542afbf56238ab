// How results are shown: aligned lines for people, one JSON document for machines.
import type { CheckResult } from './check.ts'

const MARKS = { pass: 'pass', fail: 'FAIL', skip: 'skip' } as const
const MS_WIDTH = 6

export interface Summary {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly ms: number
}

export function summarize(results: readonly CheckResult[]): Summary {
  const count = (outcome: CheckResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length
  return {
    passed: count('pass'),
    failed: count('fail'),
    skipped: count('skip'),
    ms: results.reduce((sum, result) => sum + result.ms, 0),
  }
}

/** `pass     12 ms  the sentence (a note)`; the reason of a failure stands below its sentence. */
export function renderLine({ outcome, name, reason, ms }: CheckResult): string {
  const line = `  ${MARKS[outcome]}  ${String(ms).padStart(MS_WIDTH)} ms  ${name}`
  if (reason === '') return line
  return outcome === 'fail'
    ? `${line}\n${' '.repeat(MS_WIDTH + 13)}${reason}`
    : `${line} (${reason})`
}

export function renderSummary(url: string, summary: Summary): string {
  const { passed, failed, skipped, ms } = summary
  const parts = [`${passed} passed`, `${failed} failed`, `${skipped} skipped`]
  return `${failed === 0 ? 'Conforms' : 'Does not conform'}: ${url}, ${parts.join(', ')}, in ${(ms / 1000).toFixed(1)} s`
}

export const renderJson = (url: string, results: readonly CheckResult[]): string =>
  JSON.stringify({ url, ...summarize(results), checks: results })
