/** A made-up month with planted differences between our bill and GitHub's: each is found and named, on each store, over HTTP and by the command. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { useBothStores } from './both-stores.ts'
import { type Running, startService } from './harness.ts'

const root = join(import.meta.dirname, '..')
const runFile = promisify(execFile)
const { stores, pathOf } = useBothStores()

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Answer = any

/** Credits per million tokens. Cached tokens of gpt-5.4 cost 2.5 micro-credits each, so a line of one is rounded. */
const PRICES = {
  'claude-sonnet-4-5': { input: 300, cache_read: 30, output: 1500 },
  'gpt-5.4': { input: 25, cache_read: 2.5, output: 200 },
} as const
type Model = keyof typeof PRICES

const line = (rule: string, of: string) => ({ rule, of, per: 1_000_000, price: rule })

const CARD = {
  version: 'october',
  prices: Object.fromEntries(Object.entries(PRICES).map(([model, price]) => [model, [price]])),
  cases: [
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [line('input', 'input_tokens'), line('cache_read', 'cache_read_tokens'), line('output', 'output_tokens')],
    },
  ],
}

type Tokens = { readonly input: number; readonly cacheRead: number; readonly output: number }
type Call = { readonly at: string; readonly user: string; readonly model: Model; readonly tokens: Tokens }

const THEIR_MODELS: Readonly<Record<Model, string>> = { 'claude-sonnet-4-5': 'Claude Sonnet 4.5', 'gpt-5.4': 'GPT-5.4' }
/** GitHub's users, as they are spelled there. */
const THEIR_USERS: Readonly<Record<string, string>> = {
  'ada@acme.example': 'octo-ada',
  ben: 'Ben',
  cy: 'cy',
  dee: 'dee',
}

/** Two calls a day of three members, each with both models. */
const CALLS: readonly Call[] = Array.from({ length: 31 }, (_, day) => day + 1).flatMap((day) =>
  ['ada@acme.example', 'ben', 'cy'].flatMap((user, u) =>
    (['claude-sonnet-4-5', 'gpt-5.4'] as const).flatMap((model) =>
      [9, 15].map((hour) => ({
        at: `2026-10-${String(day).padStart(2, '0')}T${String(hour).padStart(2, '0')}:30:00Z`,
        user,
        model,
        tokens: { input: 1000 * day + 7 * u, cacheRead: 100 * day + 2 * hour, output: 50 * day + hour },
      })),
    ),
  ),
)

const MIDNIGHTS: readonly Call[] = [
  // In Berlin, the first is of the next day, the second of the next month.
  { at: '2026-10-12T22:30:00Z', user: 'ben', model: 'gpt-5.4', tokens: { input: 4000, cacheRead: 0, output: 10 } },
  { at: '2026-10-31T23:59:59.999Z', user: 'ben', model: 'gpt-5.4', tokens: { input: 8000, cacheRead: 0, output: 20 } },
  // In Berlin, this is of October; GitHub bills it in September.
  { at: '2026-09-30T22:30:00Z', user: 'ben', model: 'gpt-5.4', tokens: { input: 16_000, cacheRead: 0, output: 40 } },
]
/** Three lines of one cached token: 2.5 micro-credits each, of which 2 are charged. */
const ROUNDED: readonly Call[] = [9, 10, 11].map((hour) => ({
  at: `2026-10-20T${String(hour).padStart(2, '0')}:00:00Z`,
  user: 'dee',
  model: 'gpt-5.4',
  tokens: { input: 0, cacheRead: 1, output: 0 },
}))
/** Only we know of this one. */
const MISSING_THERE: Call = {
  at: '2026-10-05T12:00:00Z',
  user: 'dee',
  model: 'claude-sonnet-4-5',
  tokens: { input: 10_000, cacheRead: 0, output: 1000 },
}
/** Only GitHub knows of this one. */
const MISSING_HERE: Call = {
  at: '2026-10-03T12:00:00Z',
  user: 'dee',
  model: 'gpt-5.4',
  tokens: { input: 100_000, cacheRead: 0, output: 10_000 },
}

const creditsOf = (model: Model, { input, cacheRead, output }: Tokens): number => {
  const price = PRICES[model]
  // In floats, as GitHub adds up.
  return (input * price.input) / 1e6 + (cacheRead * price.cache_read) / 1e6 + (output * price.output) / 1e6
}

type Row = Readonly<Record<string, string | number>>

const COLUMNS = [
  'date',
  'username',
  'product',
  'sku',
  'model',
  'quantity',
  'unit_type',
  'applied_cost_per_quantity',
  'gross_amount',
  'discount_amount',
  'net_amount',
  'total_monthly_quota',
  'organization',
  'cost_center_name',
  'input',
  'output',
  'cache_read',
  'cache_write',
] as const

const rowOf = (calls: readonly Call[], more: Row = {}): Row => {
  const [{ at, user, model }] = calls as readonly [Call]
  const quantity = calls.reduce((sum, each) => sum + creditsOf(each.model, each.tokens), 0)
  const gross = quantity * 0.01
  const sum = (kind: keyof Tokens): number => calls.reduce((total, each) => total + each.tokens[kind], 0)
  return {
    date: at.slice(0, 10),
    username: THEIR_USERS[user] ?? user,
    product: 'copilot',
    sku: 'copilot_ai_credit',
    model: THEIR_MODELS[model],
    quantity,
    unit_type: 'ai-credits',
    applied_cost_per_quantity: 0.01,
    gross_amount: gross,
    discount_amount: gross,
    net_amount: 0,
    total_monthly_quota: 3900,
    organization: 'octo',
    cost_center_name: 'Research, "Blue"',
    input: sum('input'),
    output: sum('output'),
    cache_read: sum('cacheRead'),
    cache_write: 0,
    ...more,
  }
}

const rowsOf = (calls: readonly Call[]): Map<string, Row> => {
  const groups = Map.groupBy(calls, ({ at, user, model }) => `${at.slice(0, 10)} ${user} ${model}`)
  return new Map([...groups].map(([key, each]) => [key, rowOf(each)]))
}

/** GitHub's file of the month, with what is planted in it. */
const theirRows = (): readonly Row[] => {
  const rows = rowsOf([...CALLS, ...MIDNIGHTS, ...ROUNDED, MISSING_HERE])
  const change = (key: string, to: (row: Row) => Row): void => {
    const row = rows.get(key)
    assert.ok(row, key)
    rows.set(key, to(row))
  }
  // A credit costs a fifth more.
  change('2026-10-07 ben claude-sonnet-4-5', (row) => ({
    ...row,
    applied_cost_per_quantity: 0.012,
    gross_amount: Number(row['quantity']) * 0.012,
  }))
  // The same tokens cost twice as many credits.
  change('2026-10-08 cy gpt-5.4', (row) => {
    const quantity = Number(row['quantity']) * 2
    return { ...row, quantity, gross_amount: quantity * 0.01 }
  })
  // More tokens than we know of.
  change('2026-10-11 ada@acme.example claude-sonnet-4-5', (row) => {
    const quantity = Number(row['quantity']) + 3
    return { ...row, quantity, gross_amount: quantity * 0.01, input: Number(row['input']) + 10_000 }
  })
  // A refund, in a row of its own.
  const refund = {
    ...rowOf([MISSING_HERE]),
    date: '2026-10-15',
    username: 'dee',
    quantity: -1.25,
    gross_amount: -0.0125,
    input: 0,
    output: 0,
    cache_read: 0,
  }
  const first = [...rows.values()][0] as Row
  const seats = {
    ...first,
    product: 'copilot',
    sku: 'copilot_business',
    unit_type: 'user-months',
    quantity: 3,
    gross_amount: 57,
  }
  // A row twice, as when two downloads are put together.
  return [...rows.values(), refund, seats, first]
}

const PARTS = ['missing_here', 'missing_there', 'price', 'rounding', 'unexplained'] as const

const quoted = (cell: string | number | undefined): string => `"${String(cell ?? '').replaceAll('"', '""')}"`
/** As GitHub writes it: a mark, quotes and CRLF. */
const csvOf = (rows: readonly Row[]): string =>
  `\ufeff${[COLUMNS.map(quoted), ...rows.map((row) => COLUMNS.map((column) => quoted(row[column])))].map((cells) => `${cells.join(',')}\r\n`).join('')}`

const CSV = csvOf(theirRows())

/**
 * By hand, in micro-credits: 100,000 × 25 + 10,000 × 200; 10,000 × 300 + 1,000 × 1,500; a fifth of 14,014 × 300 + 1,448 × 30 +
 * 724 × 1,500; once more 16,028 × 25 + 1,648 × 2.5 + 824 × 200; and 7.5 for three cached tokens, of which we charge 6.
 */
const PLANTED = {
  missingHere: ['2026-10-03', 'dee', 'gpt-5.4', 'missing_here', 4.5],
  refund: ['2026-10-15', 'dee', 'gpt-5.4', 'missing_here', -1.25],
  missingThere: ['2026-10-05', 'dee', 'claude-sonnet-4-5', 'missing_there', -4.5],
  dearer: ['2026-10-07', 'ben', 'claude-sonnet-4-5', 'price', 1.066728],
  twice: ['2026-10-08', 'cy', 'gpt-5.4', 'price', 0.56962],
  more: ['2026-10-11', 'ada@acme.example', 'claude-sonnet-4-5', 'unexplained', 3],
  rounded: ['2026-10-20', 'dee', 'gpt-5.4', 'rounding', 0.000002],
} as const

const found = ({ comparisons }: Answer): readonly unknown[] =>
  comparisons
    .filter((each: Answer) => each.explanation !== undefined)
    .map(({ date, user, model, difference, ...parts }: Answer) => {
      const part = ['missing_here', 'missing_there', 'price', 'unexplained', 'rounding'].find(
        (name) => parts[name] !== 0,
      )
      return [date, user, model, part, part === undefined ? undefined : parts[part]]
    })

for (const [name, store] of Object.entries(stores)) {
  describe(`on ${name}`, () => {
    let service: Running
    let url: string
    const MEMBERS = { 'octo-ada': 'ada@acme.example' }

    const call = async (method: string, path: string, body: unknown, type = 'application/json'): Promise<Answer> => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const response = await fetch(`${service.url}${path}`, { method, headers: { 'content-type': type }, body: text })
      const answer = await response.json()
      return response.ok ? answer : { status: response.status, ...(answer as object) }
    }
    const reconcile = (more: object): Promise<Answer> =>
      call('POST', '/v1/reconciliations?organization=acme', { vendor: 'github', members: MEMBERS, ...more })

    const run = async (...args: readonly string[]) => {
      const command = ['bin/copilot-credits.js', 'reconcile', '--organization', 'acme', ...args]
      const env = { PATH: process.env['PATH'], DATABASE_URL: url }
      return runFile(process.execPath, command, { cwd: root, env }).then(
        ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
        (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => ({
          code: error.code,
          out: error.stdout,
          err: error.stderr,
        }),
      )
    }

    before(async () => {
      url = await store.newUrl()
      service = await startService({ DATABASE_URL: url })
      await call('POST', '/v1/organizations', { id: 'acme', name: 'Acme', time_zone: 'Europe/Berlin' })
      await call('POST', '/v1/rate-cards', CARD)
      await call('PUT', '/v1/organizations/acme/rate-card', { version: CARD.version, from: '2026-09-01T00:00:00Z' })
      const messages = [...CALLS, ...MIDNIGHTS, ...ROUNDED, MISSING_THERE].map(
        ({ at, user, model, tokens }, index) => ({
          id: `call-${index}`,
          timestamp: at,
          user_id: user,
          model,
          usage: { input_tokens: tokens.input, cache_read_tokens: tokens.cacheRead, output_tokens: tokens.output },
        }),
      )
      const sent = await call('POST', '/v1/messages?organization=acme', { messages })
      assert.equal(sent.accepted, messages.length)
      writeFileSync(pathOf('github.csv'), CSV)
      writeFileSync(pathOf('members.csv'), 'github,member\nocto-ada,ada@acme.example\n')
    })
    after(() => service[Symbol.asyncDispose]())

    test('each planted difference is found and named', async () => {
      const answer = await reconcile({ csv: CSV, period: '2026-10', limit: 1000 })
      assert.deepEqual(new Set(found(answer)), new Set(Object.values(PLANTED)), JSON.stringify(found(answer), null, 1))
      assert.deepEqual(answer.rows, { read: 192, repeated: 1, outside: 1, other: [{ unit: 'user-months', rows: 1 }] })
      assert.deepEqual([answer.from, answer.to], ['2026-10-01', '2026-11-01'])
      const { comparisons, by_user, by_model, by_day } = await reconcile({ csv: CSV, period: '2026-10', limit: 1 })
      assert.deepEqual(
        [comparisons, by_user, by_model].map(({ length }) => length),
        [1, 1, 1],
      )
      assert.deepEqual(by_day, answer.by_day)
    })

    test('the five parts add up to each difference, and differences to the totals', async () => {
      const answer = await reconcile({ csv: CSV, period: '2026-10', limit: 1000 })
      const millionths = (value: number): number => Math.round(value * 1e6)
      const groups = [answer, ...answer.comparisons, ...answer.by_day, ...answer.by_user, ...answer.by_model]
      for (const each of groups) {
        const parts = PARTS.reduce((sum, part) => sum + millionths(each[part]), 0)
        assert.equal(parts, millionths(each.difference), JSON.stringify(each))
        assert.equal(millionths(each.vendor_credits) - millionths(each.credits), millionths(each.difference))
      }
      for (const list of [answer.comparisons, answer.by_day, answer.by_user, answer.by_model]) {
        for (const field of ['messages', 'vendor_rows', 'credits', 'vendor_credits', 'difference', ...PARTS])
          assert.equal(
            list.reduce((sum: number, each: Answer) => sum + millionths(each[field]), 0),
            millionths(answer[field]),
            field,
          )
      }
      // Its own bill, from the totals of the same instants.
      const range = 'from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z&bucket=none&organization=acme'
      const totals = await (await fetch(`${service.url}/v1/usage/totals?${range}`)).json()
      const [bucket] = (totals as Answer).buckets
      assert.deepEqual([answer.credits, answer.messages], [bucket.credits, bucket.messages])
    })

    test('a body of CSV, rows of JSON and the command say the same, with a service or on the database', async () => {
      const asked = { csv: CSV, period: '2026-10', limit: 100_000 }
      const expected = await reconcile(asked)
      const rows = theirRows().map((row) => ({ ...row, cost_center_name: null }))
      assert.deepEqual(await reconcile({ rows, period: '2026-10', limit: 100_000 }), expected)
      const renamed = CSV.replaceAll('octo-ada', 'ADA@acme.example')
      const plain = await call(
        'POST',
        '/v1/reconciliations?organization=acme&vendor=github&period=2026-10&limit=100000',
        renamed,
        'text/csv; charset=utf-8',
      )
      const spelled = JSON.parse(JSON.stringify(expected).replaceAll('octo-ada', 'ADA@acme.example'))
      assert.deepEqual(plain, spelled)
      const args = ['--github', pathOf('github.csv'), '--members', pathOf('members.csv'), '--period', '2026-10']
      for (const where of [[], ['--url', service.url]]) {
        const { code, out, err } = await run(...args, ...where, '--output', 'json')
        assert.equal(code, 1, err)
        assert.deepEqual(JSON.parse(out), expected)
      }
    })

    test('the command names the file that is wrong, and reads pairs of names with semicolons', async () => {
      writeFileSync(pathOf('empty.csv'), '')
      const { code, err } = await run('--github', pathOf('empty.csv'))
      assert.deepEqual(
        [code, err],
        [1, `copilot-credits: ${pathOf('empty.csv')}: The file must be one with rows: it is empty\n`],
      )
      const github = ['--github', pathOf('github.csv'), '--period', '2026-10', '--output', 'csv', '--members']
      writeFileSync(pathOf('semicolons.csv'), 'github;member\nocto-ada;ada@acme.example\n')
      const [plain, semicolons] = [
        await run(...github, pathOf('members.csv')),
        await run(...github, pathOf('semicolons.csv')),
      ]
      assert.equal(semicolons.out, plain.out)
      const wrong = await run(...github, pathOf('github.csv'))
      assert.ok(wrong.err.endsWith("github.csv, line 1: must have two cells, the vendor's name and ours\n"), wrong.err)
    })

    test('a table for people, with a sentence on each difference, and CSV', async () => {
      const args = ['--github', pathOf('github.csv'), '--members', pathOf('members.csv'), '--period', '2026-10']
      const { code, out } = await run(...args, '--tolerance', '3')
      assert.equal(code, 0)
      for (const sentence of [
        'GitHub bills 4.5 credits in 1 row, and no message of that day by dee with gpt-5.4 is here.',
        '1 message cost 4.5 credits here, and GitHub has no row of that day by dee with claude-sonnet-4-5.',
        'For the same quantity (16186 tokens), GitHub charges 1.066728 credits more: 1.2 times as much.',
        'For the same quantity (18500 tokens), GitHub charges 0.56962 credits more: 2 times as much.',
        'GitHub bills 3 credits more: it counts 32000 input tokens, not 22000.',
        'Rounding makes theirs 0.000002 credits more.',
        '1 row repeats an earlier one and is not counted.',
        '1 row of other days is not counted.',
        '1 row in user-months is no usage of a copilot.',
        'Unexplained, each day, user and model by itself: 3.00 credits, within the tolerance of 3.00.',
      ])
        assert.ok(out.includes(sentence), `${sentence}\n${out}`)
      const csv = await run(...args, '--output', 'csv', '--tolerance', '2.999999')
      assert.equal(csv.code, 1)
      const [head = '', first = '', ...others] = csv.out.trimEnd().split('\r\n')
      assert.ok(head.startsWith('date,user,model,vendor_user,vendor_model,messages,'))
      assert.ok(first.startsWith('2026-10-03,dee,gpt-5.4,,GPT-5.4,0,,1,'), first)
      assert.equal(
        others.length,
        (await reconcile({ csv: CSV, period: '2026-10', limit: 1000 })).comparisons.length - 1,
      )
    })

    test('what is wrong with a request is said, and nothing else is read', async () => {
      const path = '/v1/reconciliations?organization=acme'
      const problem = async (body: unknown, query = '', type = 'application/json'): Promise<string> => {
        const { status, detail } = await call('POST', `${path}${query}`, body, type)
        return `${status} ${detail}`
      }
      assert.match(await problem({ vendor: 'github' }), /^400 The field csv must be given unless "rows" is/)
      assert.match(
        await problem({ vendor: 'anyone', csv: CSV }),
        /^400 The field vendor must be one of github, openrouter, csv/,
      )
      assert.match(
        await problem({ vendor: 'github', csv: CSV, period: '2026-08' }),
        /rows are of 2026-09-30 to 2026-10-31/,
      )
      assert.match(
        await problem({ vendor: 'github', csv: CSV, time_zone: 'Asia/Tokyo' }),
        /^400 The field time_zone must be UTC or absent/,
      )
      assert.match(
        await problem({ vendor: 'github', csv: CSV, tolerance: -1 }),
        /^400 The field tolerance must be a number of credits from 0/,
      )
      assert.match(
        await problem({ vendor: 'github', csv: CSV, limit: 0 }),
        /^400 The field limit must be an integer from 1/,
      )
      assert.match(
        await problem({ vendor: 'github', rows: [{ date: '2026-10-05', quantity: {} }] }),
        /^400 The field rows\/0\/quantity must be/,
      )
      assert.match(await problem({ vendor: 'github', csv: CSV, days: 3 }), /^400 The field body\/days must be absent/)
      assert.match(
        await problem({ vendor: 'github', csv: CSV }, '&tolerance=1'),
        /tolerance must be absent if the body is JSON/,
      )
      assert.match(
        await problem('date,quantity\n1.10.2026,1\n', '&vendor=github', 'text/csv'),
        /^400 Line 2, date must be a date/,
      )
      assert.match(
        await problem(`{"vendor":"csv","rows":[${'{},'.repeat(1_000_000)}{}]}`),
        /^400 The body must be one of at most 1000000 rows; send so many as CSV\.$/,
      )
      assert.match(await problem(CSV, '&vendor=github', 'text/plain'), /^415 /)
      assert.match(await problem('x'.repeat(33 * 1024 * 1024), '&vendor=github', 'text/csv'), /^413 /)
    })
  })
}
