import { memoryLedgers } from '../../src/adapters/memory/ledgers.ts'
import { describeLedgers } from './ledgers.ts'

describeLedgers('memory', () => {
  const ledgers = memoryLedgers({ now: Date.now })
  return { ledgers, usage: ledgers, stop: () => {} }
})
