// How long a change takes to hold, on a machine of any speed: not when the first call met it, but when the last call
// that still met what was before had begun.

export interface Held<T> {
  /** The first answer that shows the change. */
  readonly answer: T
  /** The last call without it began so long after the change; 0: there was none. */
  readonly heldAfterMs: number
}

const PATIENCE_MS = 15_000
const EVERY_MS = 20

/** To be called when the change has been made. */
export async function untilHeld<T>(
  ask: () => Promise<T>,
  shows: (answer: T) => boolean,
): Promise<Held<T>> {
  const changedAt = performance.now()
  for (let heldAfterMs = 0; ;) {
    const begunAt = performance.now()
    const answer = await ask()
    if (shows(answer) || begunAt - changedAt > PATIENCE_MS) return { answer, heldAfterMs }
    heldAfterMs = begunAt - changedAt
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
}
