/**
 * JSON with one way to write each value, by RFC 8785: members sorted by the UTF-16 code units of their names, numbers and strings
 * as ECMAScript writes them. https://www.rfc-editor.org/rfc/rfc8785
 */
export const canonicalJson = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${members.map(([name, own]) => `${JSON.stringify(name)}:${canonicalJson(own)}`).join(',')}}`
}
