// How a check says that it failed, or that it cannot be made here.

/** The target answered, and not as it should. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
}

/** The check cannot be made against this target. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable'
}

export function ensure(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new CheckFailure(reason)
}
