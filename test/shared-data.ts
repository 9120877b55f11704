/**
 * Real messages to measure and test with. They are not part of the repository: a test that wants them says why it was
 * skipped where they are absent. `MESSAGE_DATA` names another folder than the one beside the checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const folder = process.env['MESSAGE_DATA'] ?? join(import.meta.dirname, '..', '..', 'shared', 'data')

/** What `node:test` takes as `skip`: a reason, or false. */
export const skipWithout = (file: string): string | false =>
  existsSync(join(folder, file)) ? false : `no ${file} in ${folder}: the message data is kept apart from the code`

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
