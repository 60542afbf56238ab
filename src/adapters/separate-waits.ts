// Waits that have a timer of their own: for callers that are no request, or not on the hot path.
import type { Waits } from '../ports.ts'

export const separateWaits: Waits = {
  async within(timeoutMs, answer) {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  },
  wakeAt(at, wake) {
    const timer = setTimeout(wake, Math.max(0, at - Date.now()))
    return () => clearTimeout(timer)
  },
}
