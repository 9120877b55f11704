import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ONE, plainText } from './decimals.ts'
import { NO_NAMES } from './names.ts'
import { readTheirBill, type TheirFile } from './their-bill.ts'
import { type Field, type VendorName, vendorOf } from './vendors.ts'

const read = (
  vendor: VendorName,
  file: TheirFile | string,
  more: { readonly columns?: ReadonlyMap<Field, string>; readonly timeZone?: string } = {},
) =>
  readTheirBill(typeof file === 'string' ? { text: [file] } : file, {
    vendor: vendorOf[vendor],
    columns: new Map(),
    names: NO_NAMES,
    timeZone: 'UTC',
    creditsPerUsd: 100n * ONE,
    ...more,
  })

/** Day, user, model, amount in credits, and quantities of credits and requests. */
const groupsOf = async (...args: Parameters<typeof read>) =>
  [...(await read(...args)).groups.values()].map(({ date, user, model, amount, credits, requests }) =>
    [date, user, model, amount, credits, requests].map((each) => (typeof each === 'bigint' ? plainText(each) : each)),
  )

test('reads premium requests, the preview of AI credits beside them, and AI credits', async () => {
  const old =
    'date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,exceeds_quota,total_monthly_quota,organization,cost_center_name'
  assert.deepEqual(
    await groupsOf(
      'github',
      `${old}\n2026-04-01,mona,copilot,copilot_premium_request,GPT-5,2.5,requests,0.04,0.10,0.03,0.07,False,300,octo,`,
    ),
    [['2026-04-01', 'mona', 'GPT-5', '10', undefined, '2.5']],
  )
  assert.deepEqual(
    await groupsOf(
      'github',
      `${old},aic_quantity,aic_gross_amount\n2026-05-01,mona,copilot,copilot_premium_request,GPT-5,2,requests,0.04,0.08,0,0.08,False,300,octo,,8.68986,0.08689859999999999`,
    ),
    [['2026-05-01', 'mona', 'GPT-5', '8.68986', '8.68986', undefined]],
  )
  const credits =
    'date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,total_monthly_quota,organization,repository,cost_center_name,aic_quantity,aic_gross_amount'
  assert.deepEqual(
    await groupsOf(
      'github',
      `${credits}\n2026-06-01,mona,copilot,copilot_ai_credit,Auto: Claude Haiku 4.5,42.726213,ai-credits,0.01,0.4272621300000001,0.42,0,3900,octo,,,0,0`,
    ),
    [['2026-06-01', 'mona', 'Auto: Claude Haiku 4.5', '42.726213', '42.726213', undefined]],
  )
  assert.deepEqual(
    await groupsOf(
      'github',
      'Timestamp,User,Model,Requests Used,Exceeds Monthly Quota,Total Monthly Quota\n2025-06-11T05:13:27.8766440Z,mona,claude-sonnet-4,1,FALSE,300\n',
    ),
    [['2025-06-11', 'mona', 'claude-sonnet-4', '4', undefined, '1']],
  )
})

test('reads both exports of OpenRouter', async () => {
  const generations =
    'generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_cached,model_permaslug,provider_name,user\n' +
    'gen-1,2026-03-30 02:37:51.271,0.01,100,200,0,openai/gpt-4.1-2025-04-14,OpenAI,\n' +
    'gen-2,2026-03-30 23:59:59.999,0.02,100,200,50,openai/gpt-4.1-2025-04-14,OpenAI,\n'
  const bill = await read('openrouter', generations)
  assert.deepEqual([bill.hasUsers, bill.hasModels], [false, true])
  const [group] = [...bill.groups.values()]
  assert.deepEqual([group?.amount, group?.requests, group?.tokens.cacheRead], [3n * ONE, 2n * ONE, 50n * ONE])
  const rows = [{ date: '2025-08-24', model: 'openai/gpt-4.1', usage: '0.015', requests: '5', promptTokens: '50' }]
  assert.deepEqual(await groupsOf('openrouter', { rows }), [
    ['2025-08-24', '', 'openai/gpt-4.1', '1.5', undefined, '5'],
  ])
})

test('reads any file by the names of its columns, with the delimiter that it has', async () => {
  const columns = new Map<Field, string>([
    ['date', 'Day'],
    ['user', 'Who, exactly'],
    ['amount_usd', 'Cost'],
  ])
  assert.deepEqual(
    await groupsOf(
      'csv',
      'sep=;\r\nDay;"Who, exactly";Cost;requests\r\n2026-10-05;ada;1.25;2\r\n2026-10-05;ADA;0.75;1\r\n',
      {
        columns,
      },
    ),
    [['2026-10-05', 'ada', '', '200', undefined, '3']],
  )
  assert.deepEqual(await groupsOf('csv', 'date\tcredits\n2026-10-05T23:30:00Z\t12\n', { timeZone: 'Europe/Berlin' }), [
    ['2026-10-06', '', '', '12', undefined, undefined],
  ])
})

test('a row that repeats another counts once, if the vendor has no equal rows', async () => {
  const csv = 'date,username,model,quantity,unit_type\n2026-10-05,ada,m,1,ai-credits\n2026-10-05,ada,m,1,ai-credits\n'
  assert.equal((await read('github', csv)).rows.repeated, 1)
  const plain = 'date,credits\n2026-10-05,1\n2026-10-05,1\n'
  assert.deepEqual(await groupsOf('csv', plain), [['2026-10-05', '', '', '2', undefined, undefined]])
  const withIds = 'id,date,credits\n7,2026-10-05,1\n7,2026-10-05,1\n8,2026-10-05,1\n'
  assert.deepEqual(await groupsOf('csv', withIds), [['2026-10-05', '', '', '2', undefined, undefined]])
})

const WRONG: readonly (readonly [vendor: VendorName, csv: string, problem: RegExp])[] = [
  ['github', '', /^The file must be one with rows: it is empty\.$/],
  ['github', '\ufeff\r\n \n', /it is empty/],
  ['github', 'date,quantity\n', /it has none below its first row/],
  [
    'github',
    'day,quantity\n2026-10-05,1\n',
    /^The first row must be one with a column "date" or "timestamp" or "usage_at"; its columns are "day", "quantity"\.$/,
  ],
  ['github', 'date,quantity,Date\n2026-10-05,1,2026-10-05\n', /a single column "date"/],
  ['github', 'date,quantity\n5/10/2026,1\n', /^Line 2, date must be a date such as 2026-10-05/],
  ['github', 'date,quantity\n2026-02-30,1\n', /^Line 2, date must be/],
  ['github', 'date,quantity\n2026-10-05,"1,5"\n', /^Line 2, quantity must be a number such as 12 or 0.0125\.$/],
  ['github', 'date,quantity\n\n2026-10-05,1,2\n', /^Line 3 must be a row of 2 cells/],
  ['github', 'date,quantity\n2026-10-05,"1\n', /^Line 2, column 12 must be valid CSV: this quote is never closed\.$/],
  ['csv', 'date,requests\n2026-10-05,1\n', /one with a column "amount_usd" or "credits"/],
  ['csv', 'date,credits\n2026-10-05,\n', /^Line 2, credits must be a number: without it/],
  ['csv', 'id,date,credits\n7,2026-10-05,1\n7,2026-10-05,2\n', /^Line 3, id must be that of one row/],
]

test('what cannot be read is named with its line', async () => {
  for (const [vendor, csv, problem] of WRONG) await assert.rejects(read(vendor, csv), { message: problem }, csv)
})

test('no file keeps the service from others: not what is blank for long, nor rows that each name a column of their own', async () => {
  const chunk = ' '.repeat(64 * 1024)
  let chunks = 0
  let turns = 0
  function* blanks() {
    for (; chunks < 200; chunks++) yield chunk
    yield '\n'
  }
  const counting = setInterval(() => turns++, 0)
  const started = performance.now()
  await assert.rejects(read('csv', { text: blanks() }), /must be/)
  clearInterval(counting)
  assert.ok(performance.now() - started < 20_000)
  assert.ok(turns > 10)
  const rows = Array.from({ length: 300 }, (_, index) => ({ date: '2026-10-05', credits: '1', [`c${index}`]: '1' }))
  await assert.rejects(read('csv', { rows }), { message: 'Rows must be objects with at most 200 different names.' })
  await assert.rejects(read('csv', { rows: [] }), {
    message: 'Rows must be an array with at least one row: it is empty.',
  })
})
