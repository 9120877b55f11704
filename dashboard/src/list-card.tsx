import { type ReactNode, useId } from 'react'
import { failureText } from './failure-text.ts'
import type { Listed } from './operator-data.ts'

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
  /** What has just been done. */
  readonly outcome: string | undefined
  readonly showMore?: () => void
  readonly action: ReactNode
  readonly form: ReactNode
  readonly empty?: string
  readonly note?: ReactNode
  /** Below the list, even if that is empty. */
  readonly footer?: ReactNode
  readonly children: (items: readonly T[]) => ReactNode
}

/** A card with a list that can be loading, failed, empty or longer than what is shown, and a form to add to it. */
export const ListCard = <T,>({ title, what, list, outcome, showMore, ...parts }: Props<T>) => {
  const id = useId()
  const { data, error, isFetching, refetch } = list
  return (
    <section className="card list-card" aria-labelledby={id} aria-busy={data === undefined && error === null}>
      <header className="card-head">
        <h2 id={id}>{title}</h2>
        {parts.action}
      </header>
      {parts.note !== undefined && <p className="hint">{parts.note}</p>}
      {parts.form}
      <p role="status" className="done">
        {outcome}
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
      {data !== undefined && data.items.length > 0 && parts.children(data.items)}
      {data?.hasMore === true && showMore !== undefined && (
        <button type="button" className="more" onClick={showMore} aria-busy={isFetching}>
          Show more {what}
        </button>
      )}
      {parts.footer}
    </section>
  )
}
