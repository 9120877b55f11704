/** Entity tags, and requests that depend on them (RFC 9110, `If-None-Match`). */
import type { FastifyRequest } from 'fastify'
import { type Known, versionOf } from '#answering/versions.ts'
import type { Organization } from '#model/organization.ts'
import { openApiInfo } from './openapi.ts'

export type EntityTags = {
  readonly tagOf: (version: string) => string
  /** Whether the client already has the answer of this version. Undefined if it has none. */
  readonly knows: Known | undefined
}

/** Weak, because bodies are compressed on request. An answer to another request, or of another release, has another tag. */
export const entityTagsOf = ({ url, headers }: FastifyRequest, { id }: Organization): EntityTags => {
  const opaque = (version: string): string => versionOf([openApiInfo.info.version, id, url, version])
  const known = headers['if-none-match']
  return {
    tagOf: (version) => `W/"${opaque(version)}"`,
    knows: known === undefined ? undefined : (version) => isNamed(known, opaque(version)),
  }
}

/** Whether If-None-Match names the tag. Compares weakly, as RFC 9110 requires, and ignores the suffix for the encoding. */
export const isNamed = (header: string | undefined, opaqueTag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some((each) => opaqueTagIn(each) === opaqueTag))

const opaqueTagIn = (entityTag: string): string =>
  entityTag
    .trim()
    .replace(/^W\//, '')
    .replace(/^"|"$/g, '')
    .replace(/-(gzip|br)$/, '')
