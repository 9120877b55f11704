/** Says in a sentence or two why a day, user and model differ. */
import { capitalized } from './capitalized.ts'
import type { ComparedGroup } from './comparison.ts'
import { divided, ONE, ofMicros, plainText, sizeOf, toMicros } from './decimals.ts'
import { PARTS, type Part } from './differences.ts'
import { TOKEN_KINDS } from './their-rows.ts'

/** `title` is the vendor's. Empty if there is no difference. */
export const sentenceOf = (group: ComparedGroup, title: string): string => {
  const { their, our, split, theirs, ours } = group
  if (theirs === ours && PARTS.every((part) => split[part] === 0n)) return ''
  if (our === undefined)
    return `${capitalized(title)} bills ${creditsText(theirs)} in ${counted(their?.rows ?? 0, 'row')}, and no message of that day${about(group)} is here.`
  if (their === undefined)
    return `${messagesText(our.messages)} cost ${creditsText(ours)} here, and ${title} has no row of that day${about(group)}.`
  const sentences = PARTS.filter((part) => split[part] !== 0n).map((part) => partSentence(part, group, title))
  if (our.unpriced > 0)
    sentences.push(`${messagesText(our.unpriced)} here ${our.unpriced === 1 ? 'has' : 'have'} no price.`)
  return sentences.join(' ')
}

const about = ({ user, model }: ComparedGroup): string =>
  `${user === '' ? '' : ` by ${user}`}${model === '' ? '' : ` with ${model}`}`

const partSentence = (part: Part, group: ComparedGroup, title: string): string => {
  const { split } = group
  const amount = creditsText(sizeOf(split[part]))
  const signed = `${amount} ${split[part] > 0n ? 'more' : 'less'}`
  if (part === 'rounding') return `Rounding makes theirs ${signed}.`
  if (part === 'price')
    return `For the same quantity (${quantityText(group)}), ${title} charges ${signed}${ratioText(group)}.`
  const counts = countsText(group)
  if (counts === undefined)
    return `${capitalized(title)} bills ${signed}; nothing is counted on both sides that could say why.`
  return `${capitalized(title)} bills ${signed}: ${counts}.`
}

const quantityText = ({ compared, their, our }: ComparedGroup): string => {
  if (compared.by === 'tokens') return counted(tokensOf(our), 'token')
  if (compared.by === 'requests') return counted(our?.messages ?? 0, 'request')
  return their?.credits === undefined ? 'as far as it is known' : creditsText(toMicros(their.credits))
}

const tokensOf = (our: ComparedGroup['our']): bigint =>
  TOKEN_KINDS.reduce((sum, kind) => sum + BigInt(our?.tokens[kind] ?? 0), 0n)

/** The amounts differ as the rates do only if the price explains all of the difference. */
const ratioText = ({ split, difference, theirs, ours }: ComparedGroup): string => {
  if (split.price !== difference || ours <= 0n || theirs <= 0n) return ''
  return `: ${plainText(divided(theirs * 1000n, ours) * (ONE / 1000n))} times as much`
}

const KIND_TEXTS = { input: 'input', cacheRead: 'cache read', cacheWrite: 'cache write', output: 'output' } as const

/** What they count, against what we count. Undefined if that cannot be said. */
const countsText = ({ compared, their, our }: ComparedGroup): string | undefined => {
  if (their === undefined || our === undefined) return undefined
  if (compared.by === 'tokens') {
    const kinds = TOKEN_KINDS.flatMap((kind) => {
      const [count, ourCount] = [their.tokens[kind], BigInt(our.tokens[kind])]
      return count === undefined || count === ourCount * ONE
        ? []
        : [`${plainText(count)} ${KIND_TEXTS[kind]} tokens, not ${ourCount}`]
    })
    return kinds.length === 0 ? undefined : `it counts ${kinds.join('; ')}`
  }
  if (compared.by === 'requests' && their.requests !== undefined)
    return `it counts ${counted(their.requests / ONE, 'request')}, not ${our.messages}`
  if (their.credits !== undefined)
    return `it counts ${creditsText(toMicros(their.credits))}, not ${creditsText(BigInt(our.credits))}`
  return their.requests === undefined
    ? undefined
    : `it counts ${plainText(their.requests)} premium requests for ${messagesText(our.messages)}`
}

const creditsText = (micros: bigint): string => {
  const text = plainText(ofMicros(micros))
  return `${text} ${text === '1' ? 'credit' : 'credits'}`
}

const messagesText = (messages: number): string => counted(messages, 'message')

const counted = (count: number | bigint, noun: string): string => `${count} ${noun}${Number(count) === 1 ? '' : 's'}`
