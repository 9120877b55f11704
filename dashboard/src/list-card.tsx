import { type ReactNode, useId, useRef, useState } from 'react'
import { failureText } from './failure-text.ts'
import type { Listed } from './operator-data.ts'

/** What of a list is edited, what has just been done, and where the focus goes after either. */
export const useEditing = <T,>() => {
  /** An item of `undefined` is a new one. */
  const [editing, setEditing] = useState<{ readonly item: T | undefined }>()
  const [outcome, setOutcome] = useState<string>()
  const opener = useRef<HTMLElement>(null)
  const add = useRef<HTMLButtonElement>(null)
  const close = (): void => {
    setEditing(undefined)
    opener.current?.focus()
  }
  return {
    editing,
    outcome,
    add,
    close,
    edit: (item: T | undefined, button: HTMLElement): void => {
      opener.current = button
      setOutcome(undefined)
      setEditing({ item })
    },
    saved: (what: string): void => {
      setOutcome(what)
      close()
    },
    /** Its row, which has the focus, is about to go. */
    removed: (what: string): void => {
      setOutcome(what)
      add.current?.focus()
    },
  }
}

export type Column = {
  readonly name: string
  readonly className?: string
}

type Props<T> = {
  readonly title: string
  /** Of which things it is a list, to say that they are loading. */
  readonly what: string
  readonly list: {
    readonly data: Listed<T> | undefined
    readonly error: Error | null
    readonly isFetching: boolean
    readonly refetch: () => unknown
  }
  readonly showMore?: () => void
  readonly editing: Pick<ReturnType<typeof useEditing<T>>, 'edit' | 'outcome' | 'add'>
  /** Of the button that opens the form for a new one; absent if the caller may not create any. */
  readonly addName: string | undefined
  readonly form: ReactNode
  readonly empty?: string
  readonly note?: ReactNode
  /** Below the list, even if that is empty. */
  readonly footer?: ReactNode
  /** Those that are absent depend on the caller. */
  readonly columns: readonly (Column | false)[]
  readonly row: (item: T) => ReactNode
}

/** The column of what can be done with a row. */
export const ACTIONS: Column = { name: 'Actions', className: 'row-actions' }

/** A card with a list that can be loading, failed, empty or longer than what is shown, and a form to add to it. */
export const ListCard = <T,>({ title, what, list, showMore, editing, addName, ...parts }: Props<T>) => {
  const id = useId()
  const { data, error, isFetching, refetch } = list
  return (
    <section className="card list-card" aria-labelledby={id} aria-busy={data === undefined && error === null}>
      <header className="card-head">
        <h2 id={id}>{title}</h2>
        {addName !== undefined && (
          <button
            ref={editing.add}
            type="button"
            onClick={({ currentTarget }) => editing.edit(undefined, currentTarget)}
          >
            {addName}
          </button>
        )}
      </header>
      {parts.note !== undefined && <p className="hint">{parts.note}</p>}
      {parts.form}
      <p role="status" className="done">
        {editing.outcome}
      </p>
      {error !== null && (
        <p role="alert" className="notice bad">
          <span>
            <strong>Could not load the {what}.</strong> {failureText(error)}
          </span>
          <button type="button" onClick={() => refetch()}>
            Try again
          </button>
        </p>
      )}
      {data === undefined && error === null && <p role="status">Loading {what}…</p>}
      {data?.items.length === 0 && <p className="nothing">{parts.empty}</p>}
      {data !== undefined && data.items.length > 0 && (
        <table className="operated">
          <thead>
            <tr>
              {parts.columns.map(
                (column) =>
                  column !== false && (
                    <th key={column.name} scope="col" className={column === ACTIONS ? undefined : column.className}>
                      {column === ACTIONS ? <span className="visually-hidden">{column.name}</span> : column.name}
                    </th>
                  ),
              )}
            </tr>
          </thead>
          <tbody>{data.items.map(parts.row)}</tbody>
        </table>
      )}
      {data?.hasMore === true && showMore !== undefined && (
        <button type="button" className="more" onClick={showMore} aria-busy={isFetching}>
          Show more {what}
        </button>
      )}
      {parts.footer}
    </section>
  )
}
