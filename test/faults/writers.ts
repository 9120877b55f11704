/**
 * Writers that report messages over HTTP and retry until they succeed, and the final check: every acknowledged message is
 * recorded exactly once, nothing else is recorded, and totals equal the sum of the records.
 */
import assert from 'node:assert/strict'
import { credits, toDecimal } from '../../src/model/credits.ts'
import { measure } from '../../src/rating/measure.ts'
import { chargeOfText } from '../../src/rating/standard-card.ts'
import { later } from './server-process.ts'

type Sent = {
  readonly id: number | string
  readonly text: string
  readonly timestamp: string
  readonly user_id?: string
}

const TEXTS = ['What is the lease term?', 'a', '', 'é'.repeat(120), 'Summarise clause 14 of the contract, please.']
const creditsOf = new Map(TEXTS.map((text) => [text, chargeOfText(measure(text)).credits] as const))
const FIRST_DAY = Date.parse('2024-05-01T00:00:00Z')
const DAYS = 31

export class Writers {
  readonly #urls: () => readonly string[]
  readonly #random: () => number
  readonly #sent = new Map<number | string, Sent>()
  readonly #acknowledged = new Set<number | string>()
  /** Batches of other writers, to be sent a second time. */
  readonly #shared: (readonly Sent[])[] = []
  #nextId = 0
  #isStopping = false
  #writing: readonly Promise<void>[] = []
  /** How many batches were sent again or abandoned midway, and how many messages were reported as duplicates. */
  readonly counts = { batches: 0, retries: 0, abandoned: 0, duplicates: 0 }

  constructor(urls: () => readonly string[], random: () => number) {
    this.#urls = urls
    this.#random = random
  }

  start(count: number): void {
    this.#writing = Array.from({ length: count }, () => this.#write())
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Resolves once the last batch of each writer is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#writing)
  }

  async #write(): Promise<void> {
    while (!this.#isStopping) {
      this.counts.batches++
      await this.#sendUntilAcknowledged(this.#nextBatch())
    }
  }

  #nextBatch(): readonly Sent[] {
    const old = this.#shared[this.#pick(this.#shared.length)]
    if (old !== undefined && this.#random() < 0.2) return old
    const batch = Array.from({ length: 1 + this.#pick(this.#random() < 0.5 ? 5 : 300) }, () => this.#newMessage())
    for (const each of batch) this.#sent.set(each.id, each)
    if (this.#shared.push(batch) > 50) this.#shared.shift()
    return batch
  }

  #newMessage(): Sent {
    const number = ++this.#nextId
    const at = FIRST_DAY + Math.floor(this.#random() * DAYS * 86_400_000)
    return {
      id: this.#random() < 0.3 ? `message-${number}` : number,
      text: TEXTS[this.#pick(TEXTS.length)] ?? '',
      timestamp: new Date(at).toISOString(),
      ...(this.#random() < 0.5 && { user_id: `user-${this.#pick(5)}` }),
    }
  }

  async #sendUntilAcknowledged(batch: readonly Sent[]): Promise<void> {
    for (;;) {
      const isAbandoned = this.#random() < 0.05
      const results = await this.#send(batch, isAbandoned)
      if (results !== undefined) {
        assert.equal(results.length, batch.length)
        for (const [index, { id, status }] of results.entries()) {
          assert.equal(id, batch[index]?.id)
          assert.match(status, /^(accepted|duplicate)$/)
          if (status === 'duplicate') this.counts.duplicates++
          this.#acknowledged.add(id)
        }
        return
      }
      if (isAbandoned && this.#random() < 0.5) {
        this.counts.abandoned++
        return
      }
      this.counts.retries++
      await later(5 + this.#pick(20))
    }
  }

  async #send(
    messages: readonly Sent[],
    isAbandoned: boolean,
  ): Promise<readonly { readonly id: number | string; readonly status: string }[] | undefined> {
    const urls = this.#urls()
    try {
      const response = await fetch(`${urls[this.#pick(urls.length)]}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages }),
        ...(isAbandoned && { signal: AbortSignal.timeout(1 + this.#pick(20)) }),
      })
      if (response.ok) return ((await response.json()) as { results: { id: number; status: string }[] }).results
      assert.equal(response.status, 503, await response.text())
      return undefined
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      return undefined
    }
  }

  /** Checks the service at `url` while nobody writes. Resolves to what it has recorded. */
  async verify(url: string): Promise<{ readonly records: number; readonly credits: string }> {
    const range = 'from=2024-05-01&to=2024-06-01'
    const seen = new Set<number | string>()
    const byDay = new Map<string, Sum>()
    const byMember = new Map<string, Sum>()
    let total = 0
    for await (const line of linesOf(`${url}/v1/usage?limit=1000&${range}`)) {
      assert.ok(!seen.has(line.message_id), `${line.message_id} is recorded twice`)
      seen.add(line.message_id)
      const sent = this.#sent.get(line.message_id)
      assert.ok(sent !== undefined, `${line.message_id} was never sent`)
      const amount = creditsOf.get(sent.text) ?? 0
      assert.deepEqual(
        [line.timestamp, line.user_id, line.credits_used],
        [sent.timestamp, sent.user_id, decimal(amount)],
      )
      total += amount
      add(byDay, sent.timestamp.slice(0, 10), amount)
      add(byMember, sent.user_id ?? '', amount)
    }
    for (const id of this.#acknowledged) assert.ok(seen.has(id), `${id} was acknowledged but is not recorded`)

    const days = await bucketsOf(`${url}/v1/usage/totals?bucket=day&limit=100&${range}`)
    assert.equal(days.length, DAYS)
    assert.deepEqual(
      days.filter(({ messages }) => messages > 0).map((day) => [day.start.slice(0, 10), day.messages, day.credits]),
      [...byDay].sort().map(([day, sum]) => [day, sum.messages, decimal(sum.credits)]),
    )
    const members = await bucketsOf(`${url}/v1/usage/totals?bucket=none&group_by=member&${range}`)
    assert.deepEqual(
      members
        .flatMap(({ groups = [] }) => groups.map((each) => [each.user_id ?? '', each.messages, each.credits]))
        .sort(),
      [...byMember].map(([member, sum]) => [member, sum.messages, decimal(sum.credits)]).sort(),
    )
    return { records: seen.size, credits: toDecimal(credits(total)) }
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }
}

type Sum = { messages: number; credits: number }

const add = (sums: Map<string, Sum>, key: string, amount: number): void => {
  const sum = sums.get(key) ?? { messages: 0, credits: 0 }
  sums.set(key, { messages: sum.messages + 1, credits: sum.credits + amount })
}

const decimal = (micros: number): number => Number(toDecimal(credits(micros)))

type Line = {
  readonly message_id: number | string
  readonly timestamp: string
  readonly user_id?: string
  readonly credits_used: number
}

async function* linesOf(first: string): AsyncGenerator<Line> {
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page = (await getJson(`${first}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)) as {
      readonly usage: readonly Line[]
      readonly next_cursor?: string
    }
    yield* page.usage
    cursor = page.next_cursor
  }
}

type Total = { readonly messages: number; readonly credits: number }
type Bucket = Total & { readonly start: string; readonly groups?: readonly (Total & { readonly user_id?: string })[] }

const bucketsOf = async (url: string): Promise<readonly Bucket[]> => {
  const answer = (await getJson(url)) as { readonly buckets: readonly Bucket[]; readonly next_page?: string }
  assert.equal(answer.next_page, undefined, 'one page must have everything')
  return answer.buckets
}

const getJson = async (url: string): Promise<unknown> => {
  const response = await fetch(url)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return JSON.parse(text)
}
