/**
 * Names under which the service is called. A web page elsewhere can have its own name lead to this machine (DNS rebinding)
 * and then reads what is answered there; it cannot have it called localhost, nor by an address.
 */
import { isIP } from 'node:net'

export type HostCheck = (host: string | undefined) => boolean

/** The names of this machine to itself. */
export const isLocalName: HostCheck = (host) =>
  /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?$/i.test(host ?? '')

/** Those, every IP address, and `names`; `*` stands for every name. */
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
