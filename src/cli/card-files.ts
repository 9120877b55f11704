/** Rate cards in files. */
import { readJson, toPathText } from '#formats/json.ts'
import { ROUNDED, roundedIn } from '#formats/json-numbers.ts'
import type { Card } from '#model/card.ts'
import { InvalidRateCard, parseCard } from '#rating/parse-card.ts'
import { WrongFile } from './failure.ts'
import { readJsonFile } from './json-file.ts'

/** Whether a name is that of a file and not the version of a card; `-` is standard input. */
export const isFile = (name: string): boolean => name === '-' || name.includes('/') || name.endsWith('.json')

/** Throws WrongFile. */
export const cardIn = (path: string, input: unknown): Card => {
  try {
    return parseCard(input)
  } catch (error) {
    if (!(error instanceof InvalidRateCard)) throw error
    throw new WrongFile(path, `: ${error.message}; "cards check" lists every fault`)
  }
}

/** Throws WrongFile. */
export const readCardFile = (path: string): Promise<unknown> =>
  readJsonFile(path, (bytes) => {
    const input = readJson(bytes)
    const rounded = roundedIn(bytes)
    if (rounded !== undefined) throw new WrongFile(path, `: ${toPathText(rounded)} ${ROUNDED}`)
    return input
  })
