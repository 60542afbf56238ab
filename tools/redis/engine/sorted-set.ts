// A sorted set: a map from member to score and one array ordered by score, then by member bytes.

export interface Scored {
  readonly member: string
  readonly score: number
}

export class SortedSet {
  readonly #scores = new Map<string, number>()
  readonly #ordered: Scored[] = []

  get size(): number {
    return this.#ordered.length
  }

  score(member: string): number | undefined {
    return this.#scores.get(member)
  }

  /** Adds the member or moves it to another score. */
  set(member: string, score: number): void {
    const old = this.#scores.get(member)
    if (old === score) return
    if (old !== undefined) this.#ordered.splice(this.#indexOf(member, old), 1)
    this.#scores.set(member, score)
    this.#ordered.splice(this.#indexOf(member, score), 0, { member, score })
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member)
    if (score === undefined) return false
    this.#ordered.splice(this.#indexOf(member, score), 1)
    return this.#scores.delete(member)
  }

  rank(member: string): number | null {
    const score = this.#scores.get(member)
    return score === undefined ? null : this.#indexOf(member, score)
  }

  /** Members from one rank up to, and without, another. */
  slice(from: number, to: number): Scored[] {
    return this.#ordered.slice(from, to)
  }

  entries(): readonly Scored[] {
    return this.#ordered
  }

  /** The first rank whose element passes a test that is false up to some point and true after it. */
  firstRank(passes: (element: Scored) => boolean): number {
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const element = this.#ordered[middle]
      if (element !== undefined && passes(element)) high = middle
      else low = middle + 1
    }
    return low
  }

  #indexOf(member: string, score: number): number {
    return this.firstRank(
      (element) => element.score > score || (element.score === score && element.member >= member),
    )
  }
}
