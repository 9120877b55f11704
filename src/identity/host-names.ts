/**
 * Host names under which the service accepts requests. A web page elsewhere can point its own name at this machine (DNS
 * rebinding) and read the responses, but its requests then carry that name, not localhost or an IP address.
 */
import { isIP } from 'node:net'

export type HostCheck = (host: string | undefined) => boolean

/** The names of the loopback interface. */
export const isLocalName: HostCheck = (host) =>
  /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?$/i.test(host ?? '')

/** Allows local names, every IP address, and `names`; `*` allows every name. */
export const createHostCheck = (names: readonly string[]): HostCheck => {
  const known = new Set(names.map(canonical))
  if (known.has('*')) return () => true
  return (host) => {
    if (isLocalName(host)) return true
    const [, name = ''] = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host ?? '') ?? []
    return isIP(name.replace(/^\[|\]$/g, '')) !== 0 || known.has(canonical(name))
  }
}

/** `a.example.` is `a.example`. */
const canonical = (name: string): string => name.toLowerCase().replace(/(?<=.)\.$/, '')
