/** Files as other programs write them. Each is read as intended or rejected, and no error quotes a text. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { deflateRawSync, gzipSync } from 'node:zlib'
import type { Field } from './csv-columns.ts'
import { WrongFile } from './failure.ts'
import type { FileEntry } from './file-entry.ts'
import { type FileNeeds, openMessageFile } from './message-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-files-'))
after(() => rmSync(folder, { recursive: true }))

type Options = Partial<Pick<FileNeeds, 'format' | 'encoding' | 'stringIds' | 'progress'>> & {
  readonly columns?: Readonly<Partial<Record<Field, string>>>
  readonly ignored?: readonly string[]
}

let count = 0
const read = async (content: string | Buffer, name = 'a.csv', options: Options = {}, found: FileEntry[] = []) => {
  const path = join(folder, `${count++}-${name}`)
  writeFileSync(path, content)
  const notes: string[] = []
  const { entries } = await openMessageFile(path, {
    progress: options.progress ?? (() => {}),
    format: options.format,
    encoding: options.encoding,
    stringIds: options.stringIds === true,
    columns: new Map(Object.entries(options.columns ?? {}) as [Field, string][]),
    ignored: new Set(options.ignored),
    note: (text) => notes.push(text),
    stop: new AbortController().signal,
  })
  for await (const some of entries) found.push(...some)
  return { found, notes }
}

const messagesOf = async (...args: Parameters<typeof read>): Promise<readonly unknown[]> => {
  const { found } = await read(...args)
  return found.map((each) => ('entry' in each ? each.entry : assert.fail(`line ${each.line}: ${each.problem}`)))
}

const SECRET = 'secret-password 4711'

/** The one error of a file that is rejected. */
const refused = async (...args: Parameters<typeof read>): Promise<string> => {
  const error = await read(...args).then(
    ({ found }) => assert.fail(`was read: ${JSON.stringify(found)}`),
    (error: unknown) => error,
  )
  assert.ok(error instanceof WrongFile, `${error}`)
  assert.doesNotMatch(error.message, /secret|4711/)
  return error.message.slice(error.message.indexOf(folder) + folder.length)
}

/** `[line, text]` of a message, or `[line, 'rejected']` if it is rejected for this reason. */
const outcomesOf = async (content: string | Buffer, reason: RegExp, name = 'a.csv', options: Options = {}) => {
  const { found } = await read(content, name, options)
  return found.map((each) => {
    if ('entry' in each) return [each.line, (each.entry as { text: string }).text]
    assert.match(each.problem, reason)
    assert.doesNotMatch(JSON.stringify(each), /secret|4711/)
    return [each.line, 'rejected']
  })
}

const T = '2026-11-20T10:00:00Z'
const A = { id: 1, text: 'Hello, "you"', timestamp: T }
const B = { id: 'b', text: 'Zweite\nZeile', timestamp: T, report_id: 5392, user_id: 'ada' }
const HEAD = 'id,text,timestamp,report_id,user_id'
const CSV = [HEAD, `1,"Hello, ""you""",${T},,`, `b,"Zweite\nZeile",${T},5392,ada`]

describe('CSV', () => {
  for (const [what, content] of [
    ['LF', CSV.join('\n')],
    ['CRLF', `${CSV.join('\r\n')}\r\n`],
    ['CR, as on old Macs', `${CSV.join('\r')}\r`],
    ['CRLF after the header and LF after messages', `${CSV[0]}\r\n${CSV[1]}\n${CSV[2]}\n`],
    ['LF after the header and CRLF after messages', `${CSV[0]}\n${CSV[1]}\r\n${CSV[2]}\r\n`],
    ['semicolons, as from a German Excel', `${CSV.join('\r\n').replaceAll(/,(?! )/g, ';')}\r\n`],
    ['tabs', CSV.join('\n').replaceAll(/,(?! )/g, '\t')],
    ['vertical bars', CSV.join('\n').replaceAll(/,(?! )/g, '|')],
    ['sep=; in the first line', `sep=;\r\n${CSV.join('\r\n').replaceAll(/,(?! )/g, ';')}`],
    ['sep=, in the first line', `sep=,\r\n${CSV.join('\r\n')}`],
    [
      'everything in quotes',
      `"id","text","timestamp","report_id","user_id"\n"1","Hello, ""you""","${T}","",""\n"b","Zweite\nZeile","${T}","5392","ada"`,
    ],
    ['differently spelled column names', CSV.join('\n').replace(HEAD, 'ID,Text,TIMESTAMP,Report ID,userId')],
    ['empty lines, empty rows and spaces at the end', `\n${CSV.join('\n\n')}\n,,,,\n  \n`],
    ['an empty column after the last', CSV.map((line) => `${line},`).join('\n')],
    ['empty fields after the last column, in messages only', `${CSV[0]}\n${CSV[1]},,\n${CSV[2]},`],
    ['the end-of-file mark of DOS', `${CSV.join('\r\n')}\r\n\u001a`],
    ['UTF-8 with a byte order mark', `\ufeff${CSV.join('\r\n')}`],
    [
      'UTF-16 with a byte order mark, as Excel\'s "Unicode text"',
      Buffer.from(`\ufeff${CSV.join('\r\n').replaceAll(/,(?! )/g, '\t')}`, 'utf16le'),
    ],
    ['big-endian UTF-16', Buffer.from(`\ufeff${CSV.join('\r\n')}`, 'utf16le').swap16()],
  ] as const) {
    test(`reads CSV with ${what}, plain and compressed`, async () => {
      assert.deepEqual(await messagesOf(content), [A, B])
      assert.deepEqual(await messagesOf(gzipSync(content), 'a.csv.gz'), [A, B])
    })
  }

  test('keeps line breaks within quotes', async () => {
    const [message] = await messagesOf(`id,text,timestamp\n1,"a\r\nb\rc\nd",${T}`)
    assert.equal((message as { text: string }).text, 'a\r\nb\rc\nd')
  })

  test('rejects a line with too many or too few fields and reads the others', async () => {
    const content = `id,timestamp,text\na,${T},Hello there, what is the rent, please? ${SECRET}\nb,${T}\nc,${T},fine\nd,${T},cut\n ${SECRET}\n`
    assert.deepEqual(await outcomesOf(content, /has \d fields?, expected 3/), [
      [2, 'rejected'],
      [3, 'rejected'],
      [4, 'fine'],
      [5, 'cut'],
      [6, 'rejected'],
    ])
  })

  test('rejects a line with misplaced quotes and reads the others', async () => {
    const content = `id,timestamp,text\n1,${T},5" of ${SECRET}\n2,${T},"a" ${SECRET}\n3,${T}, "${SECRET}"\n4,${T},fine\n`
    assert.deepEqual(await outcomesOf(content, /quote/), [
      [2, 'rejected'],
      [3, 'rejected'],
      [4, 'rejected'],
      [5, 'fine'],
    ])
  })

  test('names the lines that an unclosed quote has swallowed', async () => {
    const content = `id,timestamp,text\n1,${T},fine\n2,${T},"${SECRET}\n3,${T},swallowed\n4,${T},swallowed\n`
    assert.deepEqual(await outcomesOf(content, /never closed; lines 3 to 5 were not imported/), [
      [2, 'fine'],
      [3, 'rejected'],
    ])
  })

  test('rejects a rewritten id in any column and names the field', async () => {
    const content = `${HEAD}\n1,a,${T},5392.0,\n2,a,${T},NaN,\n003,a,${T},,\n4,a,${T},,nan\n1E+15,a,${T},,\n6,a,${T},5392,ada\n`
    const { found } = await read(content)
    assert.deepEqual(
      found.map((each) => ('entry' in each ? each.line : [each.line, each.id, each.field])),
      [[2, 1, 'report_id'], [3, 2, 'report_id'], [4, undefined, 'id'], [5, 4, 'user_id'], [6, undefined, 'id'], 7],
    )
  })

  for (const [what, head, said] of [
    ['is missing', `7,secret,${T},,`, /line 1.*must be a header; it has 3 fields, none of them id/],
    [
      'lacks a column',
      'id,timestamp,prompt',
      /"id", "timestamp", "prompt", separated by commas: missing text.*--column text=prompt/,
    ],
    [
      'comes from LiteLLM',
      'request_id,call_type,startTime,total_tokens,messages',
      /"request_id", "call_type".*missing id, text/,
    ],
    ['has an unknown column', 'id,text,timestamp,reprot_id', /unknown column "reprot_id".*--ignore-column/],
    ['has a column twice', 'id,text,text,timestamp', /columns 2 and 3 both map to text/],
    ['has a column twice in different spelling', 'id,text,timestamp,ID', /columns 1 and 4 both map to id/],
    ['has spaces around names', 'id, text, timestamp', /names have spaces around them/],
    ['starts with a pandas index', ',id,text,timestamp', /column 1 \(no name; ignore it with --ignore-column ""\)/],
    ['is one long line of prose', 'the secret, and what it is, dear', /none of them id, text or timestamp/],
    ['has a quote that is not closed', `"id,text,timestamp`, /never closed.*in the header row/],
  ] as const) {
    test(`a header row that ${what} is one error`, async () => {
      assert.match(await refused(`${head}\n${`1,${SECRET},${T}\n`.repeat(3)}`), said)
    })
  }

  test('reads other column names once they are mapped or ignored', async () => {
    const content = `,request_id,startTime,prompt,spend\n0,r1,${T},Hello,0.5\n`
    const columns = { id: 'request_id', text: 'prompt', timestamp: 'startTime' }
    const expected = [{ id: 'r1', text: 'Hello', timestamp: T }]
    assert.deepEqual(await messagesOf(content, 'a.csv', { columns, ignored: ['', 'spend'] }), expected)
    assert.deepEqual(await messagesOf(content, 'a.csv', { columns, ignored: ['*'] }), expected)
    assert.match(await refused(content, 'a.csv', { columns, ignored: ['spend'] }), /column 1/)
    assert.match(
      await refused(content, 'a.csv', { columns: { ...columns, user_id: 'user' }, ignored: ['*'] }),
      /no column "user"/,
    )
  })
})

describe('CSV of more than texts', () => {
  test('reads a column for each field and for each member of usage, quantities and attributes', async () => {
    const content = [
      'id,timestamp,Model,teamId,outcome,usage format,usage.prompt_tokens,usage.prompt_tokens_details.cached_tokens,usage.cost,' +
        'quantities.pages,quantities.voice_minutes,attributes.tier,attributes.licensed',
      `1,${T},gpt-5.4,research,failed,openai,12033.0,11904,1.4e-05,3,1.50,basic,TRUE`,
      `2,${T},,,,,,,,0,,,`,
      `3,${T},m,,,,,,,,,false,False`,
      `4,${T},m,,,,,,,,,True,true`,
    ].join('\n')
    assert.deepEqual(await messagesOf(content), [
      {
        id: 1,
        timestamp: T,
        model: 'gpt-5.4',
        team_id: 'research',
        outcome: 'failed',
        usage_format: 'openai',
        usage: { prompt_tokens: 12_033, prompt_tokens_details: { cached_tokens: 11_904 }, cost: 0.000014 },
        quantities: { pages: 3, voice_minutes: 1.5 },
        attributes: { tier: 'basic', licensed: true },
      },
      { id: 2, timestamp: T, quantities: { pages: 0 } },
      { id: 3, timestamp: T, model: 'm', attributes: { tier: false, licensed: false } },
      { id: 4, timestamp: T, model: 'm', attributes: { tier: true, licensed: true } },
    ])
  })

  test("every name of usage, the service's own and the vendors', may be a column", async () => {
    const names = [
      ...['input_tokens', 'cache_write_1h_tokens', 'input_tokens_details.cached_tokens', 'total_tokens'],
      ...['cache_creation.ephemeral_1h_input_tokens', 'thoughtsTokenCount', 'inputTokenDetails.noCacheTokens'],
    ]
    for (const name of names) {
      const [message] = await messagesOf(`id,timestamp,usage.${name}\n1,${T},7`)
      const usage = name.split('.').reduceRight((inner: unknown, each) => ({ [each]: inner }), 7)
      assert.deepEqual(message, { id: 1, timestamp: T, usage })
    }
  })

  test('an empty text is absent if the row brings a model, usage or quantities, and otherwise the empty text', async () => {
    const head = 'id,text,timestamp,report_id,team_id,model,usage.input_tokens,quantities.pages,attributes.tier'
    const rows = ['m,,,basic', ',0,,', ',,1,', ',,,basic', 'm,,,'].map((cells, index) => {
      return `${index},${index === 4 ? ' ' : ''},${T},5,a,${cells}`
    })
    const texts = (await messagesOf(`${head}\n${rows.join('\n')}`)).map((each) => (each as { text?: string }).text)
    assert.deepEqual(texts, [undefined, undefined, undefined, '', ' '])
  })

  test('a file needs no text if something else can price its messages', async () => {
    for (const name of ['report_id', 'model', 'usage.output_tokens', 'quantities.pages']) {
      const [message] = await messagesOf(`id,timestamp,${name}\n1,${T},5`)
      assert.ok(!('text' in (message as object)), name)
    }
    for (const name of ['user_id', 'team_id', 'outcome', 'usage_format', 'attributes.tier']) {
      assert.match(
        await refused(`id,timestamp,${name}\n1,${T},5`),
        /: missing text\. .*in place of a text report_id, model/,
      )
    }
  })

  test('a number that would lose a digit, or is in another notation, is left for the parser to reject', async () => {
    for (const cell of [
      ...[
        '9007199254740993',
        '1.00000000000000000001',
        '1E+15',
        '1e5',
        '1,200',
        '1.200,5',
        '007',
        '+3',
        ' 3',
        '3 ',
        '.5',
        '5.',
      ],
      ...['NaN', 'true', '3%', '-', '0x10', '３'],
    ]) {
      const [message] = await messagesOf(`id;timestamp;quantities.pages\n1;${T};${cell}`)
      assert.deepEqual(message, { id: 1, timestamp: T, quantities: { pages: cell } }, cell)
    }
  })

  test('rejects a placeholder for a missing value and names its column', async () => {
    const head = 'id,timestamp,text,team_id,model,outcome,attributes.tier'
    const { found } = await read(`${head}\n1,${T},a,NULL,,,\n2,${T},a,,nan,,\n3,${T},a,,,#N/A,\n4,${T},a,,,,None\n`)
    assert.deepEqual(
      found.map((each) => ('entry' in each ? each.line : [each.line, each.id, each.field])),
      [
        [2, 1, 'team_id'],
        [3, 2, 'model'],
        [4, 3, 'outcome'],
        [5, 4, 'attributes.tier'],
      ],
    )
  })

  for (const name of [
    ...[
      'usage',
      'usage.',
      'usage.tokens_used',
      'usage.prompt_tokens_details',
      'Usage.input_tokens',
      'quantities',
      'quantities.Pages',
    ],
    ...['quantities.a.b', 'attributes.', 'attributes.2', 'usage.prompt_tokens_details.audio_tokens', 'brought'],
  ]) {
    test(`a column ${JSON.stringify(name)} is unknown`, async () => {
      assert.match(await refused(`id,text,timestamp,${name}\n1,${SECRET},${T},5`), /: unknown column /)
      const ignored = await messagesOf(`id,text,timestamp,${name}\n1,a,${T},5`, 'a.csv', { ignored: [name] })
      assert.deepEqual(ignored, [{ id: 1, text: 'a', timestamp: T }])
    })
  }

  test('a column can be mapped to a member, twice the same is an error, and a known one can be ignored', async () => {
    const content = `id,text,timestamp,model,tokens_in,tier\n1,a,${T},m,5,basic`
    const columns = { 'usage.input_tokens': 'tokens_in', 'attributes.tier': 'tier' }
    assert.deepEqual(await messagesOf(content, 'a.csv', { columns, ignored: ['model'] }), [
      { id: 1, text: 'a', timestamp: T, usage: { input_tokens: 5 }, attributes: { tier: 'basic' } },
    ])
    assert.match(
      await refused(`id,timestamp,quantities.a,quantities.a\n1,${T},1,1`),
      /columns 3 and 4 both map to quantities.a/,
    )
  })
})

describe('encodings', () => {
  const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
  const files = [
    ['a.csv', (text: string) => `id,text,timestamp\n1,ok,${T}\n2,${text},${T}\n`],
    [
      'a.ndjson',
      (text: string) => `${JSON.stringify({ ...A, id: 1 })}\n\n{"id":2,"text":"${text}","timestamp":"${T}"}\n`,
    ],
    [
      'a.json',
      (text: string) =>
        `{"messages":[\n{"id":1,"text":"ok","timestamp":"${T}"},\n{"id":2,"text":"${text}","timestamp":"${T}"}]}`,
    ],
  ] as const
  for (const [name, content] of files) {
    test(`an error names the likely encoding of ${name}, and --encoding reads it`, async () => {
      const bytes = latin1(content('R\xe9sum\xe9 secret \x93x\x94'))
      for (const file of [bytes, gzipSync(bytes)]) {
        assert.match(
          await refused(file, name),
          /, line 3, column \d+: not valid UTF-8; the file is probably windows-1252.*--encoding windows-1252/,
        )
        const messages = await messagesOf(file, name, { encoding: 'windows-1252' })
        assert.equal((messages[1] as { text: string }).text, 'Résumé secret “x”')
      }
      const utf16 = Buffer.from(content('Résumé'), 'utf16le')
      assert.match(await refused(utf16, name), /looks like utf-16le.*--encoding utf-16le/)
      assert.equal((await messagesOf(utf16, name, { encoding: 'utf-16le' })).length, 2)
      const marked = Buffer.concat([Buffer.from([0xff, 0xfe]), utf16])
      assert.equal((await messagesOf(marked, name)).length, 2)
      assert.match(await refused(marked, name, { encoding: 'windows-1252' }), /a utf-16le byte order mark/)
      // A replacement character in the file itself is a character like any other.
      assert.equal(((await messagesOf(content('a\ufffdb'), name))[1] as { text: string }).text, 'a\ufffdb')
      assert.match(await refused(`${`${content('a')}é`.slice(0, -1)}\0`, name), /U\+0000/)
    })
  }

  test('a character truncated by the end of the file is an error; one split between chunks is not', async () => {
    const long = `id,text,timestamp\n1,${'é😀日'.repeat(50_000)},${T}\n`
    assert.equal((await messagesOf(long)).length, 1)
    assert.equal((await messagesOf(`x${long}`.slice(1))).length, 1)
    assert.match(
      await refused(Buffer.from(`id,text,timestamp\n1,a,${T}\n2,😀`).subarray(0, -1)),
      /line 3, column 3: .*cut off/,
    )
  })
})

describe('JSON', () => {
  const pretty = `${JSON.stringify(A, null, 2)}\n${JSON.stringify(B, null, 2)}\n`
  const lines = `${JSON.stringify(A)}\n${JSON.stringify(B)}\n`
  for (const [what, name, content] of [
    ['a listing', 'a.json', JSON.stringify({ messages: [A, B] }, null, 1)],
    ['an array', 'a.json', JSON.stringify([A, B])],
    ['an array over lines', 'a.json', JSON.stringify([A, B], null, 2)],
    ['an array with a byte order mark, called CSV', 'a.csv', `\ufeff${JSON.stringify([A, B])}`],
    ['an array called NDJSON', 'a.ndjson', JSON.stringify([A, B])],
    ['a listing called NDJSON', 'a.ndjson', JSON.stringify({ messages: [A, B] })],
    ['objects over lines, one after another', 'a.json', pretty],
    ['objects over lines, called NDJSON', 'a.ndjson', pretty],
    ['NDJSON', 'a.jsonl', lines],
    ['NDJSON called JSON', 'a.json', lines],
    ['NDJSON with CRLF', 'a.ndjson', lines.replaceAll('\n', '\r\n')],
    ['NDJSON with CR', 'a.ndjson', lines.replaceAll('\n', '\r')],
    ['NDJSON with empty lines, without a name', 'a', `\n${lines}\n\n`],
  ] as const) {
    test(`reads ${what}, plain and compressed`, async () => {
      assert.deepEqual(await messagesOf(content, name), [A, B])
      assert.deepEqual(await messagesOf(gzipSync(content), name), [A, B])
    })
  }

  test('a single object is a message, and ignored top-level fields are named', async () => {
    assert.deepEqual(await messagesOf(JSON.stringify(A, null, 2), 'a.json'), [A])
    assert.deepEqual(await messagesOf(JSON.stringify(A), 'a.json'), [A])
    const { found, notes } = await read(JSON.stringify({ messages: [A], next: 'page 2' }), 'a.json')
    assert.equal(found.length, 1)
    assert.match(notes.join(), /ignored the top-level field "next"/)
  })

  for (const [what, name, content, said] of [
    ['messages that are not an array', 'a.json', `{"messages":{"text":"${SECRET}"}}`, /"messages" must be an array/],
    [
      'another object',
      'a.json',
      `{"data":["${SECRET}"],"object":"list"}`,
      /an object with the keys "data", "object" is not a message/,
    ],
    ['NDJSON of something else', 'a.ndjson', `{"prompt":"${SECRET}"}\n`.repeat(3), /line 1.*with the key "prompt"/],
    ['a text', 'a.json', `"${SECRET}"`, /line 1, column 1: must be a JSON object or array/],
    ['an array that does not end', 'a.json', `[\n{"id":1,"text":"${SECRET}`, /line 2, column 1.*cut off/],
    ['an array that is broken', 'a.json', `[\n{"id":1,"text":${SECRET}}]`, /line 2, column \d+: must be valid JSON/],
    [
      'text after the end',
      'a.json',
      `${JSON.stringify([A])}\n"${SECRET}"`,
      /line 2, column 1: unexpected content after the end/,
    ],
    [
      'messages twice',
      'a.json',
      `{"messages":[${JSON.stringify(A)}],"messages":[{"text":"${SECRET}"}]}`,
      /duplicate key/,
    ],
    ['no messages', 'a.json', '{"messages":[]}', /contains no messages/],
    ['an empty array', 'a.json', '[]', /contains no messages/],
    ['a header row and no messages', 'a.csv', HEAD, /contains no messages/],
    ['nothing', 'a.csv', '', /is empty/],
    ['white space', 'a.ndjson', ' \n\n', /contains only white space/],
  ] as const) {
    test(`a file with ${what} is an error`, async () => {
      assert.match(await refused(content, name), said)
    })
  }

  test('rejects a line that is invalid or has a duplicate key and reads the others', async () => {
    const content = [
      JSON.stringify({ ...A, text: 'one' }),
      `{"id":2,"text":"${SECRET}`,
      `{"id":3,"text":"a","text":"${SECRET}","timestamp":"${T}"}`,
      `{"id":4,"id":4,"text":"${SECRET}","timestamp":"${T}"}`,
      `"${SECRET}`,
      JSON.stringify({ ...A, text: 'six' }),
    ].join('\n')
    const expected = [
      [1, 'one'],
      [2, 'rejected'],
      [3, 'rejected'],
      [4, 'rejected'],
      [5, 'rejected'],
      [6, 'six'],
    ]
    assert.deepEqual(
      await outcomesOf(content, /must be (valid JSON|JSON without duplicate keys)/, 'a.ndjson'),
      expected,
    )
    const array = `[\n${JSON.stringify({ ...A, text: 'one' })},\n{"id":3,"text":"a","text":"${SECRET}"}]`
    assert.deepEqual(await outcomesOf(array, /duplicate keys; text appears twice/, 'a.json'), [
      [2, 'one'],
      [3, 'rejected'],
    ])
  })

  test('rejects a numeric id that a 64-bit float cannot hold, but accepts other notations', async () => {
    for (const id of ['9007199254740993', '9007199254740990.5', '1.00000000000000000001', '1e400']) {
      const content = `{"id":${id},"text":"a","timestamp":"${T}"}`
      for (const [text, name] of [
        [content, 'a.ndjson'],
        [`[${content}]`, 'a.json'],
      ] as const) {
        assert.deepEqual(await outcomesOf(text, /without losing digits/, name), [[1, 'rejected']], id)
      }
      const report = `{"id":1,"report_id" : ${id},"text":"a","timestamp":"${T}"}`
      assert.deepEqual(await outcomesOf(report, /without losing digits/, 'a.ndjson'), [[1, 'rejected']], id)
    }
    for (const [usage, field] of [
      ['"usage":{"input_tokens":9007199254740993}', 'usage.input_tokens'],
      ['"usage_format":"openrouter","usage":{"prompt_tokens":5,"cost":0.1234567890123456789}', 'usage.cost'],
      [
        '"usage_format":"openai","usage":{"prompt_tokens_details":{"cached_tokens":1.00000000000000000001}}',
        'usage.prompt_tokens_details.cached_tokens',
      ],
      ['"quantities":{"a":1,"pages":1.00000000000000000001}', 'quantities.pages'],
    ] as const) {
      const content = `{"id":1,"timestamp":"${T}",${usage}}`
      for (const [text, name] of [
        [content, 'a.ndjson'],
        [`[${content}]`, 'a.json'],
      ] as const) {
        const [found] = (await read(text, name)).found
        assert.ok(found !== undefined && 'problem' in found)
        assert.deepEqual([found.field, found.problem], [field, 'does not fit a 64-bit float without losing digits'])
      }
    }
    for (const [format, ignored] of [
      ['openrouter', '"cost_details":{"upstream_inference_cost": 0.1234567890123456789}'],
      ['openai', '"cost":0.1234567890123456789'],
      ['gemini', '"promptTokensDetails":[{"share":0.1234567890123456789}]'],
    ] as const) {
      const content = `{"id":1,"timestamp":"${T}","usage_format":"${format}","usage":{${ignored},"prompt_tokens":5}}`
      const [found] = (await read(content, 'a.ndjson')).found
      assert.ok(found !== undefined && !('problem' in found), `${format} ignores it`)
    }
    const [message] = await messagesOf(`{"id":1e3,"report_id":5392.0,"text":"a","timestamp":"${T}"}`, 'a.ndjson')
    assert.deepEqual(message, { id: 1000, report_id: 5392, text: 'a', timestamp: T })
  })
})

describe('a file that is not text', () => {
  const zip = (name: string): Buffer => {
    const data = deflateRawSync(SECRET)
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50)
    header.writeUInt16LE(name.length, 26)
    return Buffer.concat([header, Buffer.from(name), data])
  }
  for (const [what, name, content, said] of [
    ['a ZIP archive', 'a.csv', zip('a.csv'), /is a ZIP archive/],
    ['an Excel workbook', 'a.csv', zip('xl/workbook.xml'), /is an Excel workbook/],
    ['an old Excel workbook', 'a.xls', Buffer.from('d0cf11e0a1b11ae1', 'hex'), /old Excel workbook/],
    ['a Parquet file', 'a.json', Buffer.from('PAR1\x15\x04'), /is a Parquet file/],
    ['a PDF', 'a.csv', Buffer.from('%PDF-1.7\n'), /is a PDF/],
    ['an image', 'a.csv', Buffer.from('89504e470d0a1a0a', 'hex'), /is an image/],
    ['a web page', 'a.csv', `<!DOCTYPE html><html>${SECRET}`, /is a web page/],
    ['XML', 'a.csv', `<?xml version="1.0"?><a>${SECRET}</a>`, /is XML/],
    ['rich text', 'a.json', `{\\rtf1 ${SECRET}}`, /rich text/],
    ['another compression', 'a.csv', Buffer.from('28b52ffd00', 'hex'), /Zstandard/],
    ['double compression', 'a.csv.gz', gzipSync(gzipSync(CSV.join('\n'))), /twice with gzip/],
    ['binary data', 'a.csv', Buffer.from([1, 0, 2, 0, 0, 3]), /U\+0000/],
    ['UTF-32', 'a.csv', Buffer.from('fffe000069000000', 'hex'), /UTF-32/],
  ] as const) {
    test(`the error for ${what} names the kind of file`, async () => {
      assert.match(await refused(content, name), said)
    })
  }

  test('gzip data that is truncated, damaged or followed by other data is an error', async () => {
    const whole = gzipSync(`${HEAD}\n${`1,${SECRET},${T},,\n`.repeat(10)}`)
    assert.match(await refused(whole.subarray(0, -9), 'a.gz'), /ends in the middle of its gzip data/)
    const damaged = Buffer.from(whole)
    damaged[whole.length - 5] = (damaged[whole.length - 5] ?? 0) ^ 1
    assert.match(await refused(damaged, 'a.gz'), /damaged gzip data/)
    assert.match(
      await refused(Buffer.concat([whole, Buffer.from('1,a,b')]), 'a.gz'),
      /after its gzip data|damaged gzip data/,
    )
    const two = Buffer.concat([gzipSync(`${CSV[0]}\n`), gzipSync(`${CSV[1]}\n`), gzipSync(CSV[2] ?? '')])
    assert.deepEqual(await messagesOf(two, 'a.csv.gz'), [A, B])
  })

  test('a file that is still being written is an error, and its incomplete last message is never read', async () => {
    const path = join(folder, `${count}-growing.csv`)
    const line = (id: number): string => `${id},${T},,,${SECRET}\n`
    const found: FileEntry[] = []
    const progress = (bytes: number): void => {
      if (bytes > 0) appendFileSync(path, `0,${T},,,${SECRET}`)
    }
    const lines = Array.from({ length: 5000 }, (_, id) => line(id + 1))
    assert.match(
      await refused(`id,timestamp,report_id,user_id,text\n${lines.join('')}`, 'growing.csv', { progress }, found),
      /growing\.csv: changed while being read; try again once it is complete$/,
    )
    assert.ok(found.length >= 5000)
    assert.ok(found.every((each) => !('entry' in each) || (each.entry as { id: unknown }).id !== 0))
  })
})
