// What shares a rate limit and fails together at Claude: a family and its major version. Limits and outages are
// Claude's by such a class, not by dated name.

const MAX_CLASS_CHARS = 64

/** `claude-sonnet-4-5-20250929` as a cloud writes it too: `us.anthropic.claude-sonnet-4-5-20250929-v1:0`. */
const FAMILY_FIRST = /(?:^|\.)claude-([a-z]{2,20})-(\d{1,2})(?!\d)/
/** Before version 4 the number stood first: `claude-3-5-haiku-20241022`. */
const NUMBER_FIRST = /(?:^|\.)claude-(\d{1,2})(?:[-.]\d{1,2})?-([a-z]{2,20})(?![a-z])/

/**
 * No model at all is `any`. A name that is none of Claude's is a class of its own. There is no bound on how many a caller can make up: who
 * keeps state by class bounds it.
 */
export function modelClass(model: string): string {
  if (model === '') return 'any'
  const name = model.slice(0, 2 * MAX_CLASS_CHARS).toLowerCase()
  const [, family, major] = FAMILY_FIRST.exec(name) ?? []
  if (family !== undefined && major !== undefined) return `${family}-${Number(major)}`
  const [, oldMajor, oldFamily] = NUMBER_FIRST.exec(name) ?? []
  if (oldFamily !== undefined && oldMajor !== undefined) return `${oldFamily}-${Number(oldMajor)}`
  return name.slice(0, MAX_CLASS_CHARS)
}
