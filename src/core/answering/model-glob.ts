// Globs of model names: `*` stands for any characters, everything else for itself.

export const matchesModel = (globs: readonly string[], model: string): boolean =>
  globs.some((glob) => matchesGlob(glob, model))

/** Greedy with one step back (linear in practice, never exponential): the last `*` takes one more character. */
function matchesGlob(glob: string, text: string): boolean {
  let g = 0
  let t = 0
  let star = -1
  let starText = 0
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g
      starText = t
      g += 1
    } else if (glob[g] === text[t]) {
      g += 1
      t += 1
    } else if (star >= 0) {
      starText += 1
      t = starText
      g = star + 1
    } else return false
  }
  while (glob[g] === '*') g += 1
  return g === glob.length
}
