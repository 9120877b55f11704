import { useMemo, useState } from 'react'
import { type CardReading as Reading, readCard } from './card-sentences.ts'
import { stretchesOf, stretchName, type Use } from './card-uses.ts'
import { useCard } from './cards.ts'
import { useCopying } from './copying.tsx'
import { failureText } from './failure-text.ts'
import { Field } from './field.tsx'
import { count, dateTime, quantity } from './format.ts'
import './rate-cards.css'

type Props = {
  readonly version: string
  readonly organization: string
  readonly uses: readonly Use[]
  readonly now: number
  readonly timeZone: string
  /** Absent if the reader may not simulate it. */
  readonly simulate?: (() => void) | undefined
}

/** A rate card as people read it: its prices as a table, its rules as sentences. */
export const CardReading = ({ version, organization, uses, now, timeZone, simulate }: Props) => {
  const { data, error, isPending, refetch } = useCard(version, organization)
  return (
    <section className="card card-reading" aria-labelledby="card-title" aria-busy={isPending}>
      <header className="card-head">
        <h2 id="card-title">{version}</h2>
        {simulate !== undefined && (
          <button type="button" onClick={simulate}>
            What would it do?
          </button>
        )}
      </header>
      {isPending && <p role="status">Loading rate card…</p>}
      {error !== null && (
        <p role="alert" className="notice bad">
          <span>
            <strong>Could not read this rate card.</strong> {failureText(error)}
          </span>
          <button type="button" onClick={() => refetch()}>
            Try again
          </button>
        </p>
      )}
      {data !== undefined && (
        <>
          <Origin entry={data} stretches={stretchNames(uses, version, now, timeZone)} timeZone={timeZone} />
          <WhatItSays key={version} reading={readCard(data.card)} />
          <Json card={data.card} />
        </>
      )}
    </section>
  )
}

const stretchNames = (uses: readonly Use[], version: string, now: number, timeZone: string): readonly string[] =>
  stretchesOf(uses)
    .filter((stretch) => stretch.version === version)
    .map((stretch) => stretchName(stretch, now, timeZone))

type OriginProps = {
  readonly entry: Pick<NonNullable<ReturnType<typeof useCard>['data']>, 'hash' | 'built_in' | 'created_at' | 'expects'>
  readonly stretches: readonly string[]
  readonly timeZone: string
}

const Origin = ({ entry, stretches, timeZone }: OriginProps) => {
  const { hash, built_in: builtIn, created_at: created, expects } = entry
  const { outcome, copy } = useCopying()
  const expected = expectedNames(expects)
  return (
    <dl>
      {builtIn !== undefined && (
        <>
          <dt>Prices</dt>
          <dd>{builtIn.title}</dd>
          <dt>Source</dt>
          <dd>
            <Source text={builtIn.source} />, as of {builtIn.as_of}
          </dd>
        </>
      )}
      {created !== undefined && (
        <>
          <dt>Stored</dt>
          <dd>{dateTime(Date.parse(created), timeZone)}</dd>
        </>
      )}
      <dt>Use</dt>
      <dd>
        {stretches.length === 0 ? (
          'Not for this organization'
        ) : (
          <ul className="plain">
            {stretches.map((name) => (
              <li key={name}>{name}</li>
            ))}
          </ul>
        )}
      </dd>
      {expected !== '' && (
        <>
          <dt>Reads</dt>
          <dd>{expected}</dd>
        </>
      )}
      <dt>Hash</dt>
      <dd>
        <code>{hash}</code>{' '}
        <button type="button" className="quiet" onClick={() => copy(hash, 'Hash copied.')}>
          Copy hash
        </button>{' '}
        <span role="status" className="note">
          {outcome}
        </span>
      </dd>
    </dl>
  )
}

/** What senders must bring for all of it to have a price. */
const expectedNames = (expects: OriginProps['entry']['expects']): string => {
  const { text, report_id: report, model, usage = [], quantities = [], attributes = [] } = expects
  return [
    ...(text === true ? ['the text'] : []),
    ...(report === true ? ['the report'] : []),
    ...(model === true ? ['the model'] : []),
    ...[...usage, ...quantities, ...attributes].map((name) => name.replaceAll('_', ' ')),
  ].join(', ')
}

const Source = ({ text }: { readonly text: string }) =>
  text.split(/(https:\/\/[^\s,]+)/).map((part) =>
    part.startsWith('https://') ? (
      <a key={part} href={part} rel="noreferrer">
        {part}
      </a>
    ) : (
      part
    ),
  )

/** Also of a card that is not stored. */
export const WhatItSays = ({ reading }: { readonly reading: Reading }) => (
  <>
    {reading.models.length > 0 && <Prices reading={reading} />}
    <section aria-label="Rules" className="rules">
      <h3>Rules</h3>
      <ol>
        {reading.cases.map(({ name, when, rules, notes }) => (
          <li key={name}>
            <h4>
              {when} <span className="tag">{name}</span>
            </h4>
            <ul>
              {rules.map(({ rule, text }, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a rule can have several lines, and they never move
                <li key={index}>
                  {text} <span className="note">{rule}</span>
                </li>
              ))}
              {notes.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
      {reading.ending.length > 0 && (
        <ul className="ending">
          {reading.ending.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
    </section>
  </>
)

/** More cannot be read at once anyway. */
const MODELS_SHOWN = 200
/** From here on, finding beats reading. */
const MODELS_WITHOUT_SEARCH = 12

const Prices = ({ reading: { columns, models } }: { readonly reading: Reading }) => {
  const [search, setSearch] = useState('')
  const found = useMemo(() => {
    const wanted = search.trim().toLowerCase()
    return models.filter(({ model, aliases }) =>
      [model, ...aliases].some((name) => name.toLowerCase().includes(wanted)),
    )
  }, [models, search])
  const shown = found.slice(0, MODELS_SHOWN)
  const hasTiers = shown.some(({ rows }) => rows.some(({ when }) => when !== undefined))
  return (
    <section aria-label="Prices" className="prices">
      <h3>Prices in credits</h3>
      {models.length > MODELS_WITHOUT_SEARCH && (
        <Field name="Model" isInline>
          {(input) => (
            <input
              {...input}
              type="search"
              placeholder="Any"
              value={search}
              onChange={({ target }) => setSearch(target.value)}
            />
          )}
        </Field>
      )}
      <p role="status" className="note">
        {shown.length < found.length
          ? `${count(shown.length)} of ${count(found.length)} models. To see others, type a part of the name.`
          : `${count(found.length)} ${found.length === 1 ? 'model' : 'models'}`}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it */}
      <section className="sideways" aria-label="Prices by model" tabIndex={0}>
        <table className="listing">
          <thead>
            <tr>
              <th scope="col">Model</th>
              {hasTiers && <th scope="col">When</th>}
              {columns.map(({ name, of }) => (
                <th key={name} scope="col" className="number">
                  {name.replaceAll('_', ' ')}
                  <span className="reason">{of}</span>
                </th>
              ))}
            </tr>
          </thead>
          {shown.map(({ model, aliases, rows }) => (
            <tbody key={model}>
              {rows.map(({ when, prices }, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names, and never move
                <tr key={index}>
                  {index === 0 && (
                    <th scope="rowgroup" rowSpan={rows.length}>
                      {model}
                      {aliases.length > 0 && <span className="reason">also {aliases.join(', ')}</span>}
                    </th>
                  )}
                  {hasTiers && <td className="when">{when}</td>}
                  {prices.map((price, column) => (
                    <td key={columns[column]?.name} className="number">
                      {price === undefined ? <span className="note">no price</span> : quantity(price)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </section>
    </section>
  )
}

const Json = ({ card }: { readonly card: unknown }) => {
  const { outcome, copy } = useCopying()
  const [isOpen, setIsOpen] = useState(false)
  const text = useMemo(() => JSON.stringify(card, null, 2), [card])
  return (
    <section aria-label="JSON" className="json">
      <p className="copy">
        <button type="button" onClick={() => copy(text, 'JSON copied.')}>
          Copy JSON
        </button>
        <button type="button" className="quiet" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          {isOpen ? 'Hide JSON' : 'Show JSON'}
        </button>
        <span role="status">{outcome}</span>
      </p>
      {isOpen && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it
        <pre tabIndex={0}>{text}</pre>
      )}
    </section>
  )
}
