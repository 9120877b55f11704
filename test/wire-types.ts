/** The shapes of responses, from openapi.json, to which wire-contract.ts holds every response. */
import type { components } from '../client/src/openapi.ts'

export type Schemas = components['schemas']
