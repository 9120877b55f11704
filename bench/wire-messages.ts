/**
 * Messages prepared as bytes on the wire, so that the load generator uses little CPU: it only writes the digits of the id and
 * timestamp in place.
 */
import { madeUpText } from './texts.ts'

export const REPORT = { id: 5392, name: 'Tenant Obligations Report', credit_cost: 79 }

const ID_PLACE = '100000000000000'
const TIME_PLACE = '2026-10-01T00:00:00.000Z'
const TEXTS = 2000

export type WireMessage = { readonly bytes: Buffer; readonly idAt: number; readonly timeAt: number }

/** A quarter is priced by a report, half have one of 25 members. */
export const wireMessages = (): readonly WireMessage[] =>
  Array.from({ length: TEXTS }, (_, index) => {
    const report = index % 4 === 0 ? `,"report_id":${REPORT.id}` : ''
    const member = index % 2 === 0 ? `,"user_id":"user-${index % 50}"` : ''
    const bytes = Buffer.from(
      `{"id":${ID_PLACE},"timestamp":"${TIME_PLACE}","text":${JSON.stringify(madeUpText(index))}${report}${member}}`,
    )
    return { bytes, idAt: bytes.indexOf(ID_PLACE), timeAt: bytes.indexOf(TIME_PLACE) }
  })

/** Writes message number `id`, sent at `at` (milliseconds since 1970), to `target`; returns where it ends. */
export const writeMessage = (target: Buffer, offset: number, message: WireMessage, id: number, at: string): number => {
  message.bytes.copy(target, offset)
  target.write(String(Number(ID_PLACE) + id), offset + message.idAt, 'latin1')
  target.write(at, offset + message.timeAt, 'latin1')
  return offset + message.bytes.length
}
