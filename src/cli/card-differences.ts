/** How two rate cards differ, path by path. Values are JSON, cut off if they are long. */

export type Difference = { readonly path: string; readonly before: string; readonly after: string }

export const differencesOf = (one: unknown, other: unknown, path = ''): readonly Difference[] => {
  if (isNode(one) && isNode(other) && Array.isArray(one) === Array.isArray(other)) {
    const names = new Set([...Object.keys(one), ...Object.keys(other)])
    return [...names].flatMap((name) =>
      differencesOf(valueAt(one, name), valueAt(other, name), pathOf(path, name, one)),
    )
  }
  // Scalars, or values of different kinds.
  return Object.is(one, other) ? [] : [{ path, before: textOf(one), after: textOf(other) }]
}

type Node = Readonly<Record<string, unknown>>

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null

const valueAt = (node: Node, name: string): unknown => (Object.hasOwn(node, name) ? node[name] : undefined)

const pathOf = (path: string, name: string, within: Node): string => {
  if (Array.isArray(within)) return `${path}[${name}]`
  if (!/^[a-z_][a-z0-9_]*$/i.test(name)) return `${path}[${JSON.stringify(name)}]`
  return path === '' ? name : `${path}.${name}`
}

const TEXT_MAX = 200

const textOf = (value: unknown): string => {
  if (value === undefined) return 'absent'
  const text = JSON.stringify(value)
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text
}
