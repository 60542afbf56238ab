// Waits for a state that nothing announces, by asking again until it holds or the bound has passed.

export interface EventuallyOptions {
  readonly withinMs: number
  readonly everyMs?: number
}

/** The first value that passes; the last one, after the bound, so that the assertion shows it. */
export async function eventually<T>(
  read: () => Promise<T> | T,
  passes: (value: T) => boolean,
  { withinMs, everyMs = 20 }: EventuallyOptions,
): Promise<T> {
  const until = performance.now() + withinMs
  for (;;) {
    const value = await read()
    if (passes(value) || performance.now() >= until) return value
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
