/** Everything that is read of a request: what the tables name, and what the settings name. */
import {
  CACHE_HITS,
  COSTS_USD,
  COUNTS,
  EVENT_ATTRIBUTES,
  KINDS,
  MODELS,
  NANO_AIU,
  OUTCOMES,
} from './attribute-names.ts'
import { type CallSettings, ROOT_NAME } from './calls.ts'
import { EVENT_NAMES } from './events.ts'
import type { Wanted } from './records.ts'
import { SOURCES } from './sources.ts'

export const wantedBy = ({ members, teams }: CallSettings): Wanted => ({
  attributes: new Set([
    ...members,
    ...teams,
    ...Object.values(COUNTS).flat(),
    ...[...CACHE_HITS, ...COSTS_USD, ...EVENT_ATTRIBUTES, ...KINDS, ...MODELS, ...NANO_AIU, ...OUTCOMES],
    ...SOURCES.flatMap(({ marks = [], purposes = [], members: own = [] }) => [...marks, ...purposes, ...own]),
    'service.name',
  ]),
  spanNames: new Set([ROOT_NAME]),
  events: new Set(EVENT_NAMES),
})
