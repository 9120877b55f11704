import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import pg from 'pg'
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'
import { bigints, byteStrings, integers, texts } from './binary-arrays.ts'

describe('arrays in the binary format', () => {
  let server: PostgresServer
  let client: pg.Client
  before(async () => {
    server = await startPostgres()
    client = new pg.Client({ connectionString: await server.createDatabase() })
    await client.connect()
  })
  after(async () => {
    await client.end()
    await server[Symbol.asyncDispose]()
  })

  /** The elements in order, as the server read them. */
  const received = async (type: string, array: Buffer): Promise<readonly unknown[]> => {
    const { rows } = await client.query(
      `SELECT value FROM unnest($1::${type}[]) WITH ORDINALITY AS input (value, place) ORDER BY place`,
      [array],
    )
    return rows.map(({ value }) => value)
  }

  const holdsFor = <T>(values: fc.Arbitrary<T>, check: (values: readonly T[]) => Promise<void>): Promise<void> =>
    fc.assert(fc.asyncProperty(fc.array(values), check), { numRuns: 100 })

  test('every integer arrives unchanged', async () => {
    const safe = fc.oneof(
      fc.maxSafeInteger(),
      fc.constantFrom(0, -1, 2 ** 31, 2 ** 32, -(2 ** 32), 2 ** 53, -(2 ** 53)),
    )
    await holdsFor(safe, async (values) => {
      assert.deepEqual(
        await received('bigint', bigints(values)),
        values.map((value) => String(BigInt(value))),
      )
    })
    await holdsFor(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), async (values) => {
      assert.deepEqual(await received('bigint', bigints(values)), values.map(String))
    })
    await holdsFor(fc.integer(), async (values) => {
      assert.deepEqual(await received('integer', integers(values)), values)
    })
  })

  test('an undefined integer arrives as NULL', async () => {
    await holdsFor(fc.option(fc.integer(), { nil: undefined }), async (values) => {
      const texts = values.map((value) => (value === undefined ? null : String(value)))
      assert.deepEqual(await received('bigint', bigints(values)), texts)
      assert.deepEqual(
        await received('integer', integers(values)),
        texts.map((text) => text && Number(text)),
      )
    })
  })

  test('every text arrives unchanged, and undefined as NULL', async () => {
    const unit = fc.oneof(
      fc.constantFrom('"', '\\', '{', '}', ',', ' ', "'", '\n', 'é', '\u0301', '€', '😀', '\u{10ffff}', '\ufeff'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((text) => text !== '\0'),
    )
    const text = fc.oneof(fc.string({ unit }), fc.constantFrom('', 'NULL', 'null', '{}', '""'))
    await holdsFor(fc.option(text, { nil: undefined }), async (values) => {
      assert.deepEqual(
        await received('text', texts(values)),
        values.map((value) => value ?? null),
      )
    })
  })

  test('every byte array arrives unchanged, even if it is a view of a larger buffer', async () => {
    await holdsFor(fc.uint8Array(), async (values) => {
      const views = values.map((value) => Uint8Array.of(1, ...value, 2).subarray(1, value.length + 1))
      assert.deepEqual(
        await received('bytea', byteStrings(views)),
        values.map((value) => Buffer.from(value)),
      )
    })
  })

  test('a number that does not fit is rejected, not truncated', () => {
    for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const array of [bigints, integers]) assert.throws(() => array([value]), RangeError)
    }
    assert.throws(() => bigints([2 ** 63]), RangeError)
    assert.throws(() => bigints([2n ** 63n]), RangeError)
    assert.throws(() => integers([2 ** 31]), RangeError)
  })

  test('U+0000 in a text is an error about the data', async () => {
    await assert.rejects(received('text', texts(['a\0b'])), { code: '22021' })
  })
})
