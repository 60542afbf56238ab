// Seeded faults of prompt caching, and of what sessions make of a conversation.
import type { Mutant } from './mutant.ts'

const MARKER = 'test/unit/answering/prompt-marker.test.ts'
const WAIT = 'test/unit/flows/await-prefix.test.ts'
const WORTH = 'test/unit/money/prefix-worth.test.ts'
const ROUTING = 'test/unit/answering/routing.test.ts'
const REPEATED = 'test/unit/conversation/repeated-history.test.ts'

export const promptMutants: readonly Mutant[] = [
  {
    fault: 'a fifth marker, which Claude refuses',
    file: 'src/core/answering/prompt-marker.ts',
    from: 'markers.at.length >= MOST_MARKERS',
    to: 'markers.at.length > MOST_MARKERS',
    killedBy: [MARKER, 'never makes a fifth marker'],
  },
  {
    fault: "a marker of ours beside the caller's own for the whole",
    file: 'src/core/answering/prompt-marker.ts',
    from: 'if (markers.forAll || ',
    to: 'if (',
    killedBy: [MARKER, "leaves the caller's own for the whole"],
  },
  {
    fault: 'a marker for five minutes beside one for an hour on the last block',
    file: 'src/core/answering/prompt-marker.ts',
    from: ' || hasHourInMessages(read)) return null',
    to: ') return null',
    killedBy: [MARKER, 'which Claude refuses beside five minutes'],
  },
  {
    fault: 'a fifth marker by marking the system prompt too',
    file: 'src/core/answering/prompt-marker.ts',
    from: 'markers.at.length > MOST_MARKERS - 2',
    to: 'markers.at.length > MOST_MARKERS',
    killedBy: [MARKER, 'marks only the whole where one marker is left'],
  },
  {
    fault: 'markers written with escapes are not counted',
    file: 'src/core/answering/json-scan.ts',
    from: 'return hasEscape(bytes, start, end) && ',
    to: 'return false && ',
    killedBy: [MARKER, 'those written with escapes'],
  },
  {
    fault: 'text that looks like a marker is counted',
    file: 'src/core/answering/json-scan.ts',
    from: 'if (isNamed(this.#bytes, start, end, MARKER)) {',
    to: 'if (isNamed(this.#bytes, start, end, MARKER) || end > start) {',
    killedBy: [MARKER, 'takes text that only looks like a marker for text'],
  },
  {
    fault: 'nobody waits for the one who writes: each pays',
    file: 'src/flows/await-prefix.ts',
    from: 'at < until && !signal.aborted',
    to: 'at < 0 && !signal.aborted',
    killedBy: [WAIT, 'wait for the first byte of the first'],
  },
  {
    fault: 'a writer that fails is waited for all the same',
    file: 'src/flows/prefix-writes.ts',
    from: 'if (this.#writing.get(key) === writing) this.#writing.delete(key)',
    to: '',
    killedBy: [WAIT, 'let the next one write where the first fails'],
  },
  {
    fault: 'a writer that never begins is waited for by everyone who comes',
    file: 'src/flows/prefix-writes.ts',
    from: 'own.set(key, { bytes, until: now + waitMs, over })',
    to: 'own.set(key, { bytes, until: Infinity, over })',
    killedBy: [WAIT, 'come too late to wait'],
  },
  {
    fault: 'a prefix that is kept is waited for again',
    file: 'src/flows/prefix-writes.ts',
    from: 'keep(account, beganAt + KEPT_MS)',
    to: 'keep(account, beganAt)',
    killedBy: [WAIT, 'do not wait again while it is kept'],
  },
  {
    fault: 'caching goes on where nobody reads back',
    file: 'src/core/money/ledger/prefix-worth.ts',
    from: 'const pays = worth.savedNanoUsd >= 0',
    to: 'const pays = true',
    killedBy: [WORTH, 'is left off after fifty writes'],
  },
  {
    fault: 'caching that did not pay is never tried again',
    file: 'src/core/money/ledger/prefix-worth.ts',
    from: 'return until > now ? until : null',
    to: 'return until > 0 ? until : null',
    killedBy: [WORTH, 'is tried again'],
  },
  {
    fault: 'a restart forgets where caching did not pay',
    file: 'src/core/money/ledger/ledger-record.ts',
    from: 'ledger.prefixes.set(model, worth)',
    to: 'void [model, worth]',
    killedBy: [WORTH, 'tells each call that it is off, keeps that'],
  },
  {
    fault: 'a session goes back to the account that it had left',
    file: 'src/core/answering/routing.ts',
    from: 'Number(b.isLast) - Number(a.isLast) ||',
    to: '',
    killedBy: [ROUTING, 'goes to the account that served its session last'],
  },
  {
    fault: 'a history that is said again stands twice',
    file: 'src/core/conversation/repeated-history.ts',
    from: 'return isRepeated ? said.slice(count) : said',
    to: 'return said',
    killedBy: [REPEATED, 'what follows the whole history'],
  },
  {
    fault: "another conversation's history is taken for this one's",
    file: 'src/core/conversation/repeated-history.ts',
    from: 'return isRepeated ? said.slice(count) : said',
    to: 'return said.slice(count)',
    killedBy: [REPEATED, 'all, where another answer is told'],
  },
]
