/**
 * JSON with one way to write each value, by RFC 8785: members sorted by the UTF-16 code units of their names, numbers and strings
 * as ECMAScript writes them. https://www.rfc-editor.org/rfc/rfc8785
 */
export const canonicalJson = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = value as Readonly<Record<string, unknown>>
  let json = ''
  for (const name of Object.keys(fields).sort()) {
    json += `${json === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(fields[name])}`
  }
  return `{${json}}`
}
