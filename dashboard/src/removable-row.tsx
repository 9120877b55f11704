import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { failureText } from './failure-text.ts'

type Props = {
  /** What is removed, as the row calls it. */
  readonly name: string
  /** What removing it is called, such as `Revoke`, and on the button that does it, such as `Revoke key`. */
  readonly verb: string
  readonly submitName: string
  /** What will happen. */
  readonly consequence: string
  readonly remove: () => Promise<unknown>
  readonly removed: () => void
  /** Of the table, those of the actions included. */
  readonly columns: number
  /** What else can be done with it. */
  readonly actions?: ReactNode
  /** The cells before the actions. */
  readonly children: ReactNode
}

/** A row whose thing can be removed, after a question that says what will happen. */
export const RemovableRow = ({ name, verb, columns, actions, children, ...question }: Props) => {
  const [isAsking, setIsAsking] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const keep = (): void => {
    setIsAsking(false)
    button.current?.focus()
  }
  return (
    <>
      <tr className={isAsking ? 'asked' : undefined}>
        {children}
        <td className="row-actions">
          {actions}
          <button
            type="button"
            className="quiet"
            ref={button}
            aria-expanded={isAsking}
            onClick={() => setIsAsking(true)}
          >
            {verb}
            <span className="visually-hidden"> {name}</span>
          </button>
        </td>
      </tr>
      {isAsking && (
        <tr>
          <td colSpan={columns}>
            <Question {...question} title={`${verb} ${name}?`} keep={keep} />
          </td>
        </tr>
      )}
    </>
  )
}

type QuestionProps = Pick<Props, 'submitName' | 'consequence' | 'remove' | 'removed'> & {
  readonly title: string
  readonly keep: () => void
}

/** The focus is on the harmless answer, which Escape gives, too. */
const Question = ({ title, submitName, consequence, remove, removed, keep }: QuestionProps) => {
  const id = useId()
  const [failure, setFailure] = useState<string>()
  const harmless = useRef<HTMLButtonElement>(null)
  useEffect(() => harmless.current?.focus(), [])
  const answer = async (): Promise<void> => {
    try {
      await remove()
      removed()
    } catch (error) {
      setFailure(failureText(error))
    }
  }
  return (
    <fieldset
      className="asking"
      onKeyDown={(event) => {
        if (event.key === 'Escape') keep()
      }}
    >
      <legend className="visually-hidden">{title}</legend>
      <span id={id}>{consequence}</span>
      {failure !== undefined && (
        <span role="alert" className="problem">
          {failure}
        </span>
      )}
      <button type="button" ref={harmless} aria-describedby={id} onClick={keep}>
        Keep it
      </button>
      <button type="button" className="dangerous" aria-describedby={id} onClick={answer}>
        {submitName}
      </button>
    </fieldset>
  )
}
