/**
 * Real messages for tests and benchmarks. They are not part of the repository; without them, tests that need them are
 * skipped. `MESSAGE_DATA` names their folder, if it is not next to the checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const folder = process.env['MESSAGE_DATA'] ?? join(import.meta.dirname, '..', '..', 'shared', 'data')

/** A value for `skip` of `node:test`: a reason, or false. */
export const skipWithout = (file: string): string | false =>
  existsSync(join(folder, file)) ? false : `no ${file} in ${folder}: the message data is not part of the repository`

export const pathOf = (file: string): string => join(folder, file)

export const readShared = (file: string): unknown => JSON.parse(readFileSync(pathOf(file), 'utf8'))

export type PublishedMessage = { id: number; text: string; timestamp: string; report_id?: number }

export const readMessages = (file: string): readonly PublishedMessage[] =>
  (readShared(file) as { messages: PublishedMessage[] }).messages

export const readReports = (file: string): readonly { id: number; name: string; credit_cost: number }[] =>
  (readShared(file) as { reports: { id: number; name: string; credit_cost: number }[] }).reports

export const readLargeTexts = (): readonly string[] =>
  gunzipSync(readFileSync(pathOf('messages.large.jsonl.gz')))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { text: string }).text)

/** The rows of a published table of rates. */
export const readRates = (file: string): readonly (readonly string[])[] =>
  readFileSync(pathOf(join('rates', file)), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split('\t'))
