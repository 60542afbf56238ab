// Small helpers to look into values that came from a caller.
export type JsonObject = Record<string, unknown>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textField(value: unknown, field: string): string {
  const found = isObject(value) ? value[field] : undefined
  return typeof found === 'string' ? found : ''
}
