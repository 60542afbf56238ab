// What an account's gate is told of another account of the same organization: when that one finds a bucket empty,
// this one holds back too, and the operator sees that the two share. Neither breaker nor limit learns anything.
import type { SharedReading } from './admission.ts'
import type { Moment } from './breaker.ts'
import { classOf, noteTransition, type Gate, type Resolution } from './gate-state.ts'
import { pump } from './grant.ts'
import { learnOrganization, learnPeer } from './organization.ts'
import { isExhausted, observeShared, pauseUntil } from './rate.ts'

export function noteOrganization(gate: Gate, id: string, now: number): void {
  const from = gate.organization.id
  if (!learnOrganization(gate.organization, id)) return
  gate.unsaved.record = true
  // The first word is no news; another one is.
  if (from !== null) note(gate, { from, to: id, cause: 'another_organization' }, now)
}

export function observe(gate: Gate, reading: SharedReading, at: Moment): Resolution[] {
  const { organization } = gate
  if (organization.id === null) noteOrganization(gate, reading.organization, at.now)
  // Otherwise the teller remembers a former credential, of that account or of this one.
  if (organization.id === reading.organization) {
    const from = organization.peers.join(', ')
    if (learnPeer(organization, reading.account)) {
      const to = organization.peers.join(', ')
      note(gate, { from, to, cause: 'shares_organization_with' }, at.now)
    }
    readShared(gate, reading, at.now)
  }
  return pump(gate, at)
}

const readShared = (gate: Gate, reading: SharedReading, now: number): void => {
  if (reading.rate === null) return
  const { rate } = classOf(gate, reading.modelClass)
  if (!observeShared(rate, reading.rate, now)) return
  if (reading.retryAfterMs !== null && isExhausted(reading.rate, now)) {
    pauseUntil(rate, now + reading.retryAfterMs)
  }
}

const note = (
  gate: Gate,
  change: { readonly from: string; readonly to: string; readonly cause: string },
  now: number,
): void => noteTransition(gate, { at: now, kind: 'organization', modelClass: null, ...change })
