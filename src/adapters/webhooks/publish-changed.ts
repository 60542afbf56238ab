// Lets others see how deliveries stand: what changed since it was last told, until nothing is left. Told twice it is the
// same, so a crash in between costs nothing.
import type { ChangedDelivery, WebhookStore } from './webhook-store.ts'

export interface WebhookJournal {
  /** An older change of a delivery never replaces a newer one. */
  write(changes: readonly ChangedDelivery[]): Promise<void>
}

const AT_ONCE = 50

export async function publishChanged(store: WebhookStore, journal: WebhookJournal): Promise<void> {
  for (;;) {
    const changes = store.findChanged(AT_ONCE)
    if (changes.length === 0) return
    await journal.write(changes)
    store.published(changes)
    if (changes.length < AT_ONCE) return
  }
}
