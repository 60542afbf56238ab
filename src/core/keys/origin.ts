// Lists of browser origins. An entry is one exact origin, or `*` for any.

/** No list names nobody. */
export function namesOrigin(list: readonly string[] | null, origin: string): boolean {
  return list !== null && list.some((entry) => entry === '*' || entry === origin)
}
