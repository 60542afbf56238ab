// What shares a rate limit and fails together: a family of models and its first number.

const FAMILIES = ['opus', 'sonnet', 'haiku', 'fable']
const MAX_CLASS_CHARS = 64

/**
 * `claude-sonnet-4-5-20250929` is `sonnet-4`, `claude-3-5-haiku-20241022` is `haiku-3`. Any other name is its own
 * class, in lower case and cut to 64 characters; no model at all is `any`.
 */
export function modelClass(model: string): string {
  const parts = model.toLowerCase().split('-')
  const family = FAMILIES.find((name) => parts.includes(name))
  if (family === undefined)
    return model === '' ? 'any' : model.toLowerCase().slice(0, MAX_CLASS_CHARS)
  const after = parts[parts.indexOf(family) + 1]
  const major = isMajor(after) ? after : parts.find(isMajor)
  return major === undefined ? family : `${family}-${major}`
}

/** A version's first number, not a date. */
const isMajor = (part: string | undefined): part is string =>
  part !== undefined && /^\d{1,2}$/.test(part)
