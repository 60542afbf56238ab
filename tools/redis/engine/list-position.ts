// Where an item stands in a list, for LPOS and LREM.

export interface PositionSearch {
  /** From the tail towards the head. */
  readonly backwards: boolean
  /** Matches to pass over first. */
  readonly skip?: number
  /** 0 for all. */
  readonly most: number
  /** How many items to look at; 0 for all. */
  readonly within?: number
}

export function findPositions(list: readonly string[], item: string, search: PositionSearch) {
  const { backwards, most } = search
  const looked = search.within === undefined || search.within === 0 ? list.length : search.within
  let toSkip = search.skip ?? 0
  const places: number[] = []
  for (let step = 0; step < Math.min(looked, list.length); step++) {
    const at = backwards ? list.length - 1 - step : step
    if (list[at] !== item) continue
    if (toSkip-- > 0) continue
    places.push(at)
    if (places.length === most) break
  }
  return places
}
