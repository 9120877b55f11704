/** Adds up what is kept of messages by the vendor's day, by member and by model. */
import { midnightOf } from '#calendar/periods.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { creditsAt, exactSum, factsAt } from '#ledger/priced-batch.ts'
import type { EpochMs } from '#model/organization.ts'
import { factsOfCharge } from '#rating/charged-facts.ts'
import { memberKey, modelKey } from './names.ts'
import { GROUPS_MAX, groupKeyOf } from './their-bill.ts'
import { TOKEN_KINDS, type TokenKind } from './their-rows.ts'
import { WrongFile } from './wrong-file.ts'

export type OurGroup = {
  readonly date: string
  readonly member: string
  readonly model: string
  messages: number
  unpriced: number
  credits: number | bigint
  readonly tokens: Record<TokenKind, number | bigint>
}

export type Adjustments = { messages: number; credits: number | bigint }

/** A day of the vendor, as a date and as its first instant. */
export type VendorDay = { readonly date: string; readonly start: EpochMs }

/** Of whole days, and the first instant after them. */
export const vendorDays = (
  { from, to }: { readonly from: string; readonly to: string },
  timeZone: string,
): { readonly days: readonly VendorDay[]; readonly end: EpochMs } => {
  const days: VendorDay[] = []
  const last = Temporal.PlainDate.from(to)
  let date = Temporal.PlainDate.from(from)
  for (; Temporal.PlainDate.compare(date, last) < 0; date = date.add({ days: 1 }))
    days.push({ date: date.toString(), start: midnightOf(date, timeZone) })
  return { days, end: midnightOf(last, timeZone) }
}

type CellKey = { readonly user: string; readonly model: string; readonly member: string; readonly modelName: string }

/** Takes pieces in order of time. Members and models are told apart only if the vendor's file does. */
export class OurUsage {
  readonly groups = new Map<string, OurGroup>()
  /** Of closed periods: usage of other days, and so of no row. */
  readonly adjustments: Adjustments = { messages: 0, credits: 0 }
  readonly members = new Map<string, string>()
  readonly models = new Map<string, string>()
  readonly #days: readonly VendorDay[]
  readonly #hasUsers: boolean
  readonly #hasModels: boolean

  constructor(days: readonly VendorDay[], told: { readonly hasUsers: boolean; readonly hasModels: boolean }) {
    this.#days = days
    this.#hasUsers = told.hasUsers
    this.#hasModels = told.hasModels
  }

  take(charges: KeptCharges): void {
    const { count, at, cells, cellOf, isAdjustment } = charges
    const keys: (CellKey | undefined)[] = cells.map(() => undefined)
    let [day, latest]: [number, EpochMs] = [0, Number.NEGATIVE_INFINITY]
    for (let row = 0; row < count; row++) {
      const instant = at[row] as EpochMs
      const credits = creditsAt(charges, row)
      if (isAdjustment[row] === 1) {
        this.adjustments.messages++
        this.adjustments.credits = exactSum(this.adjustments.credits, credits ?? 0)
        continue
      }
      if (instant < latest) day = 0
      latest = instant
      while (instant >= (this.#days[day + 1]?.start ?? Number.POSITIVE_INFINITY)) day++
      const index = cellOf[row] as number
      const cell = cells[index]
      if (cell === undefined) continue
      const key = keys[index] ?? this.#keyOf(cell)
      keys[index] = key
      const group = this.#groupOf((this.#days[day] as VendorDay).date, key)
      group.messages++
      if (credits === undefined) group.unpriced++
      else group.credits = exactSum(group.credits, credits)
      const { tokens } = factsOfCharge({ facts: factsAt(charges, row), cell })
      if (tokens === undefined) continue
      for (const kind of TOKEN_KINDS) group.tokens[kind] = exactSum(group.tokens[kind], tokens[kind])
    }
  }

  #keyOf({ member = '', model = '' }: { readonly member?: string; readonly model?: string }): CellKey {
    const key = {
      user: this.#hasUsers ? memberKey(member) : '',
      model: this.#hasModels ? modelKey(model) : '',
      member: this.#hasUsers ? member : '',
      modelName: this.#hasModels ? model : '',
    }
    if (!this.members.has(key.user)) this.members.set(key.user, key.member)
    if (!this.models.has(key.model)) this.models.set(key.model, key.modelName)
    return key
  }

  #groupOf(date: string, { user, model, member, modelName }: CellKey): OurGroup {
    const key = groupKeyOf(date, user, model)
    const known = this.groups.get(key)
    if (known !== undefined) return known
    if (this.groups.size >= GROUPS_MAX)
      throw new WrongFile(
        'the range',
        `one in which usage has at most ${GROUPS_MAX} combinations of day, member and model`,
      )
    const tokens = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0 }
    const group: OurGroup = { date, member, model: modelName, messages: 0, unpriced: 0, credits: 0, tokens }
    this.groups.set(key, group)
    return group
  }
}
