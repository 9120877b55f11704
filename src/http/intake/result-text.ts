/** Writes intake results as JSON. Amounts are written from the digits of the integer, so they are exact. */
import type { IntakeCounts, IntakeResult } from '#intake/intake-results.ts'
import { toDecimal } from '#model/credits.ts'

/** `extra` is JSON that comes first, such as the line number. */
export const toResultText = (result: IntakeResult, extra = ''): string => {
  if (result.status !== 'rejected') {
    const id = typeof result.id === 'number' ? result.id : JSON.stringify(result.id)
    const unknown = result.unknownReport === true ? ',"unknown_report":true' : ''
    const credits = result.credits === undefined ? '' : `,"credits":${toDecimal(result.credits)}`
    const unpriced = result.unpriced === undefined ? '' : `,"unpriced":${JSON.stringify(result.unpriced)}`
    const outcome = result.outcome === undefined ? '' : `,"outcome":"${result.outcome}"`
    return `{${extra}"id":${id},"status":"${result.status}"${credits}${unpriced}${outcome}${unknown}}`
  }
  const { id, field, reason } = result
  const idPart = id === undefined ? '' : `"id":${JSON.stringify(id)},`
  return `{${extra}${idPart}"status":"rejected","field":${JSON.stringify(field)},"reason":${JSON.stringify(reason)}}`
}

export const toAnswerText = (counts: Readonly<IntakeCounts>, results: Iterable<IntakeResult>): string => {
  let text = `${JSON.stringify(counts).slice(0, -1)},"results":[`
  let separator = ''
  for (const result of results) {
    text += separator + toResultText(result)
    separator = ','
  }
  return `${text}]}`
}
