/**
 * Why does `measure` read bytes, in memory that is reused, and find the edges of words without a branch? Each variant of its loop
 * for ASCII lacks one of these. The variants only count third vowels and edges of words.
 */
import { firstClasses, VOWEL, WORD } from '../src/rating/code-points.ts'
import { AHEAD, encodeText, textMemory } from '../src/rating/text-bytes.ts'
import type { Report } from './report.ts'
import { benchTexts } from './texts.ts'
import { compareInTurns, cpuOfRuns } from './turns.ts'

const ROUNDS = 20
const RUNS = 100_000
const TEXT_CHARACTERS_MAX = 2000

const [word, vowel] = [WORD, VOWEL]
const classes = firstClasses()
const kept = new Uint8Array(textMemory(TEXT_CHARACTERS_MAX), AHEAD)
const edges = new Int32Array(TEXT_CHARACTERS_MAX + 3)

export const benchTextScan = async (report: Report): Promise<void> => {
  const { source, texts } = benchTexts()
  const short = texts.filter((text) => text.length < 250 && /^[\x20-\x7e]+$/.test(text)).slice(0, 50_000)
  const all = short.join(' ')
  const long = Array.from({ length: 1000 }, (_, index) =>
    Buffer.from(all.slice(index * 250, index * 250 + 250)).toString('latin1'),
  )
  await compareScans(report, `${source} in ASCII`, short)
  await compareScans(report, `${source} in ASCII, joined and cut`, long)
}

const compareScans = async (report: Report, source: string, texts: readonly string[]): Promise<void> => {
  const characters = texts.reduce((sum, { length }) => sum + length, 0) / texts.length
  report.heading(`Scanning a text: ${source}, ${characters.toFixed(0)} characters each, ${ROUNDS} rounds`)
  let expected: number | undefined
  const run = (scan: (text: string) => number) => () => {
    let sum = 0
    const cpu = cpuOfRuns(RUNS, (time) => {
      sum += scan(texts[time % texts.length] as string)
    })
    expected ??= sum
    if (sum !== expected) throw new Error('the loops count differently')
    return cpu
  }
  await compareInTurns(report, `text scan ${characters.toFixed(0)}`, ROUNDS, {
    'bytes, no branch': run(bytesWithoutBranch),
    'bytes, a branch at each edge': run(bytesWithBranch),
    'bytes in memory that is passed in': run((text) => scanPassedIn(kept, encodeText(text, kept))),
    'bytes in new memory for each text': run(newBytes),
    'charCodeAt, no branch': run(unitsWithoutBranch),
    'charCodeAt, a branch at each edge': run(unitsWithBranch),
  })
}

/** Every loop returns this, so that none of its work can be optimized away. */
const resultOf = (edgeCount: number, thirdVowels: number): number =>
  edgeCount * 1000 + (edges[edgeCount >> 1] as number) + thirdVowels / vowel

const bytesWithoutBranch = (text: string): number => {
  const length = encodeText(text, kept)
  let edgeCount = 0
  let thirdVowels = 0
  let before = 0
  for (let at = 0; at <= length; at += 3) {
    const first = classes[kept[at] as number] as number
    const second = classes[kept[at + 1] as number] as number
    const third = classes[kept[at + 2] as number] as number
    edges[edgeCount] = at
    edgeCount += (first ^ before) & word
    edges[edgeCount] = at + 1
    edgeCount += (second ^ first) & word
    edges[edgeCount] = at + 2
    edgeCount += (third ^ second) & word
    before = third
    thirdVowels += third & vowel
  }
  edges[edgeCount] = 0
  return resultOf(edgeCount, thirdVowels)
}

const bytesWithBranch = (text: string): number => {
  const length = encodeText(text, kept)
  let edgeCount = 0
  let thirdVowels = 0
  let before = 0
  for (let at = 0; at <= length; at += 3) {
    const first = classes[kept[at] as number] as number
    const second = classes[kept[at + 1] as number] as number
    const third = classes[kept[at + 2] as number] as number
    if (((first ^ before) & word) !== 0) edges[edgeCount++] = at
    if (((second ^ first) & word) !== 0) edges[edgeCount++] = at + 1
    if (((third ^ second) & word) !== 0) edges[edgeCount++] = at + 2
    before = third
    thirdVowels += third & vowel
  }
  edges[edgeCount] = 0
  return resultOf(edgeCount, thirdVowels)
}

const scanPassedIn = (bytes: Uint8Array, length: number): number => {
  let edgeCount = 0
  let thirdVowels = 0
  let before = 0
  for (let at = 0; at <= length; at += 3) {
    const first = classes[bytes[at] as number] as number
    const second = classes[bytes[at + 1] as number] as number
    const third = classes[bytes[at + 2] as number] as number
    edges[edgeCount] = at
    edgeCount += (first ^ before) & word
    edges[edgeCount] = at + 1
    edgeCount += (second ^ first) & word
    edges[edgeCount] = at + 2
    edgeCount += (third ^ second) & word
    before = third
    thirdVowels += third & vowel
  }
  edges[edgeCount] = 0
  return resultOf(edgeCount, thirdVowels)
}

const newBytes = (text: string): number => {
  const bytes = new Uint8Array(text.length * 3 + 3)
  return scanPassedIn(bytes, encodeText(text, bytes))
}

const unitsWithoutBranch = (text: string): number => {
  const { length } = text
  let edgeCount = 0
  let thirdVowels = 0
  let before = 0
  for (let at = 0; at <= length; at += 3) {
    const first = classAt(text, at)
    const second = classAt(text, at + 1)
    const third = classAt(text, at + 2)
    edges[edgeCount] = at
    edgeCount += (first ^ before) & word
    edges[edgeCount] = at + 1
    edgeCount += (second ^ first) & word
    edges[edgeCount] = at + 2
    edgeCount += (third ^ second) & word
    before = third
    thirdVowels += third & vowel
  }
  edges[edgeCount] = 0
  return resultOf(edgeCount, thirdVowels)
}

const unitsWithBranch = (text: string): number => {
  const { length } = text
  let edgeCount = 0
  let thirdVowels = 0
  let before = 0
  for (let at = 0; at <= length; at += 3) {
    const first = classAt(text, at)
    const second = classAt(text, at + 1)
    const third = classAt(text, at + 2)
    if (((first ^ before) & word) !== 0) edges[edgeCount++] = at
    if (((second ^ first) & word) !== 0) edges[edgeCount++] = at + 1
    if (((third ^ second) & word) !== 0) edges[edgeCount++] = at + 2
    before = third
    thirdVowels += third & vowel
  }
  edges[edgeCount] = 0
  return resultOf(edgeCount, thirdVowels)
}

const classAt = (text: string, at: number): number =>
  at < text.length ? (classes[text.charCodeAt(at) & 0xff] as number) : (classes[0] as number)
