/** `copilot-credits cards`, in the database and through a service, on each store. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { addCardsCommand } from '../src/cli/cards.ts'
import { useBothStores } from './both-stores.ts'
import { startService } from './harness.ts'
import { type Outcome, runCommand } from './run-command.ts'

const run = (environment: Readonly<Record<string, string>>, args: readonly string[]): Promise<Outcome> =>
  runCommand((program, terminal) => addCardsCommand(program, terminal, () => environment), ['cards', ...args])

const card = (version: string, rate: number) => ({
  version,
  cases: [{ name: 'flat', lines: [{ rule: 'message', rate }] }],
})

const { stores, pathOf } = useBothStores()

const fileOf = (name: string, content: unknown): string => {
  const path = pathOf(name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

for (const [name, { newUrl, openLedger }] of Object.entries(stores)) {
  for (const way of ['in the database', 'through a service']) {
    describe(`on ${name}, ${way}`, () => {
      test('messages without a price are charged by a card that is put in force', async () => {
        const DATABASE_URL = await newUrl()
        await using service = await startService({ DATABASE_URL })
        const to = way === 'in the database' ? [] : ['--url', service.url]
        const page = { id: 1, timestamp: '2024-05-01T09:30:00Z', quantities: { pages: 1 } }
        const headers = { 'content-type': 'application/json' }
        const body = JSON.stringify({ messages: [page] })
        await fetch(`${service.url}/v1/messages`, { method: 'POST', headers, body })
        await run({ DATABASE_URL }, ['put', fileOf('two.json', card('two', 2)), ...to])
        const { err } = await run({ DATABASE_URL }, ['use', 'two', '--from', '2024-05-01T00:00:00Z', ...to])
        assert.equal(err, way === 'in the database' ? 'Messages that had no price and are charged now: 1.\n' : '')
        const charged = async (): Promise<boolean> => {
          const answer = await fetch(`${service.url}/v1/messages/1`)
          const { charges } = (await answer.json()) as { charges: readonly { credits?: number }[] }
          return charges[0]?.credits === 2
        }
        if (way === 'in the database') assert.ok(await charged())
        else while (!(await charged())) await nextTurn()
      })

      test('cards are stored, listed, shown, compared and put in force', async () => {
        const DATABASE_URL = await newUrl()
        await using service = await startService({ DATABASE_URL })
        const to = way === 'in the database' ? [] : ['--url', service.url]
        const cards = (...args: readonly string[]) => run({ DATABASE_URL }, [...args, ...to])
        const [two, three, other] = [
          fileOf('two.json', card('two', 2)),
          fileOf('three.json', card('three', 3)),
          fileOf('other.json', card('two', 4)),
        ]
        assert.equal((await cards('put', two)).out, 'two is stored.\n')
        assert.equal((await cards('put', two)).out, 'two was stored before.\n')
        assert.match((await cards('put', other)).failure, /another rate card with the version two/)
        assert.match((await cards('list')).out, /standard-2024 +[0-9a-f]{12} +built in +.*\ntwo +[0-9a-f]{12} +20\d\d-/)
        const { rate_cards: listed } = JSON.parse((await cards('list', '--json')).out)
        assert.deepEqual(
          listed.map((each: { readonly version: string }) => each.version),
          [
            'copilot-studio-2026-09',
            'github-copilot-2026-06',
            'github-premium-requests-2026-06',
            'standard-2024',
            'two',
          ],
        )
        assert.match(
          (await cards('list')).out,
          /github-copilot-2026-06 .* GitHub Copilot: AI credits by tokens, as of 2026-06-01\n/,
        )
        assert.equal(JSON.parse((await cards('show', 'github-copilot-2026-06')).out).version, 'github-copilot-2026-06')
        assert.deepEqual(JSON.parse((await cards('show', 'two')).out), card('two', 2))
        assert.equal((await cards('show', 'four')).failure, 'no such rate card: four')
        assert.equal(
          (await cards('diff', 'two', three)).out,
          'version: "two" → "three"\ncases[0].lines[0].rate: 2 → 3\n',
        )
        assert.equal((await cards('diff', two, 'two')).out, 'No differences.\n')
        const from = ['--from', '2024-05-01T02:00:00+02:00']
        assert.equal(
          (await cards('use', 'two', ...from)).out,
          'standard-2024  since ever, by default\ntwo  from 2024-05-01T00:00:00.000Z\n',
        )
        assert.equal(
          (await cards('use', 'two', '--default', ...from)).out,
          'standard-2024  since ever, by default\ntwo  from 2024-05-01T00:00:00.000Z, by default\n',
        )
        const forUnpriced = ['--for', 'unpriced', '--from', '2024-05-10T00:00:00Z']
        assert.match((await cards('use', 'two', ...forUnpriced)).failure, /[Nn]o period is closed/)
        const ledger = await openLedger(DATABASE_URL)
        await ledger.decide('default', { kind: 'close', until: Date.parse('2024-06-01T00:00:00Z') })
        await ledger.close()
        const rest = 'from 2024-05-10T00:00:00.000Z until 2024-06-01T00:00:00.000Z, only for messages without a price'
        assert.equal(
          (await cards('use', 'two', ...forUnpriced)).out,
          `standard-2024  since ever, by default\ntwo  from 2024-05-01T00:00:00.000Z\ntwo  ${rest}\n`,
        )
        assert.match(
          (await cards('use', 'two', '--default', ...forUnpriced)).out,
          new RegExp(`\ntwo  ${rest}, by default\n$`),
        )
        const june = ['--for', 'unpriced', '--from', '2024-06-01T00:00:00Z']
        assert.match((await cards('use', 'two', ...june)).failure, /2024-06-01T00:00:00\.000Z/)
        assert.match((await cards('use', 'copilot-studio-2026-09')).out, /\ncopilot-studio-2026-09 {2}from 20\d\d-/)
        assert.match((await cards('use', 'three')).failure, /no (such )?rate card:? "?three/)
        assert.match((await cards('use', 'two', '--organization', 'nobody')).failure, /no (such )?organization/)
      })
    })
  }
}

test('check lists every fault of a card with its path, and says what a valid one expects', async () => {
  const faulty = fileOf('faulty.json', { version: 'A', cases: [{ name: 'x', lines: [{ rule: 'r', rate: -1 }] }] })
  const { out, failure } = await run({}, ['check', faulty])
  assert.match(out, /^version must be .*\ncases\[0\]\.lines\[0\]\.rate must be 0 or more.*\n$/)
  assert.match(failure, /faulty\.json: is not a rate card: 2 faults$/)
  const text = {
    version: 'a',
    cases: [
      {
        name: 'x',
        lines: [
          { rule: 'r', of: 'characters', rate: 1 },
          { rule: 'p', of: 'pages', rate: 1 },
        ],
      },
    ],
  }
  assert.match(
    (await run({}, ['check', fileOf('valid.json', text)])).out,
    /^a is a valid .*\nhash +[0-9a-f]{64}\nexpects +text, quantities \(pages\)\n$/,
  )
})

test('a file that is missing or not JSON, and arguments that contradict each other, are one error', async () => {
  const broken = fileOf('broken.json', '{"version": x')
  assert.match(
    (await run({}, ['check', fileOf('twice.json', '{\n  "version": "a",\n  "version": "b"}')])).failure,
    /twice\.json, line 3/,
  )
  const rounded = JSON.stringify(card('a', 0.5)).replace('0.5', '0.1000000000000000000001')
  assert.match(
    (await run({}, ['check', fileOf('rounded.json', rounded)])).failure,
    /rounded\.json: cases\[0\]\.lines\[0\]\.rate does not fit a 64-bit float/,
  )
  assert.match((await run({}, ['check', broken])).failure, /broken\.json: must be valid JSON/)
  assert.match((await run({}, ['put', pathOf('missing.json')])).failure, /missing\.json: /)
  assert.match((await run({}, ['use', 'a', '--from', 'yesterday'])).failure, /RFC 3339/)
  assert.match((await run({}, ['use', 'a', '--for', 'unpriced'])).failure, /--for needs --from/)
  assert.match((await run({}, ['use', 'a', '--for', 'all'])).failure, /choices are unpriced/)
  assert.match((await run({}, ['use', 'a', '--default', '--organization', 'b'])).failure, /leave out --organization/)
  assert.match((await run({}, ['list', '--url', 'ftp://a'])).failure, /http or https URL/)
})
