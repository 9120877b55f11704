/** From the bytes of a request to charges: reads each entry as it arrives, and has the calls charged once all have. */
import { CollectedBytes } from '#formats/collected-bytes.ts'
import { InvalidJson, readJson } from '#formats/json.ts'
import { BadJsonList } from '#formats/json-elements.ts'
import type { Received, ReceivedCalls, Verdict } from '#intake/received-calls.ts'
import type { Reporter } from '#intake/senders.ts'
import type { Organization } from '#model/organization.ts'
import { type EntrySettings, SOURCE, verdictOn } from './calls.ts'
import { createEntries, type EntryBytes } from './entries.ts'
import { withoutNonNumbers } from './python-json.ts'

export type LitellmReceiver = { readonly begin: () => Reception }

/** What a request has brought so far. */
export type Reception = {
  readonly push: (chunk: Uint8Array) => void
  /** How many bytes it takes to keep what was pushed until it is charged. */
  readonly keptBytes: () => number
  /** Whether the rest of the body cannot be read. */
  readonly isBroken: () => boolean
  /** Call it once. Resolves once every call is committed. Throws UpstreamError or StoreError. */
  readonly charge: (organization: Organization, key: Reporter['key']) => Promise<Received>
}

export type LitellmReceiverNeeds = {
  readonly calls: ReceivedCalls
  readonly settings: EntrySettings
  readonly entryBytesMax: number
}

export const createLitellmReceiver = ({ calls, settings, entryBytesMax }: LitellmReceiverNeeds): LitellmReceiver => {
  const read = (bytes: EntryBytes): Verdict => {
    if (bytes === undefined || bytes.length > entryBytesMax) return rejected(`must be at most ${entryBytesMax} bytes`)
    try {
      return verdictOn(parse(bytes), settings)
    } catch (error) {
      if (error instanceof InvalidJson) return rejected(error.message)
      throw error
    }
  }

  const begin = (): Reception => {
    const entries = createEntries(entryBytesMax)
    const verdicts: Verdict[] = []
    const arrived = new CollectedBytes()
    let isBroken = false

    const take = (next: () => readonly EntryBytes[]): void => {
      try {
        if (!isBroken) for (const bytes of next()) verdicts.push(read(bytes))
      } catch (error) {
        if (!(error instanceof BadJsonList)) throw error
        isBroken = true
        verdicts.push(rejected(`${error.message} (line ${error.line}, column ${error.column})`))
      }
    }

    return {
      push: (chunk) => {
        arrived.push(chunk)
        if (arrived.length >= PIECE_BYTES) take(() => entries.push(arrived.take()))
      },
      keptBytes: () => arrived.length + (isBroken ? 0 : entries.keptBytes()) + verdicts.length * VERDICT_BYTES,
      isBroken: () => isBroken,
      charge: (organization, key) => {
        take(() => entries.push(arrived.take()))
        take(entries.end)
        return calls.take(organization, verdicts, key)
      },
    }
  }

  return { begin }
}

/** Bytes are looked at in pieces of about this size: a body may arrive byte by byte, and each piece costs memory of its own. */
const PIECE_BYTES = 16 * 1024
/** About what is kept of an entry until it is charged. */
const VERDICT_BYTES = 200

const rejected = (reason: string): Verdict => ({ source: SOURCE, is: 'rejected', field: '', reason })

const parse = (bytes: Uint8Array): unknown => {
  try {
    return readJson(bytes)
  } catch (error) {
    const repaired = error instanceof InvalidJson && error.fault === 'not-json' ? withoutNonNumbers(bytes) : undefined
    if (repaired === undefined) throw error
    return readJson(repaired)
  }
}
