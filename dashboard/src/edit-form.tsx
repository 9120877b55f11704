import { ApiError } from 'copilot-credits-client'
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { failureText } from './failure-text.ts'

/** What is wrong with the input, by the name of its field. */
export type Problems = Readonly<Record<string, string | undefined>>

type Props = {
  readonly title: string
  readonly submitName: string
  /** Rejects with what the service says. */
  readonly submit: (input: FormData) => Promise<void>
  readonly close: () => void
  /** The field that a conflict is about: it names something that there is already. */
  readonly conflictField?: string
  readonly children: (problems: Problems) => ReactNode
}

/** A form that asks the service, and shows what is wrong beside the field that it names. */
export const EditForm = ({ title, submitName, submit, close, conflictField, children }: Props) => {
  const id = useId()
  const form = useRef<HTMLFormElement>(null)
  const [failure, setFailure] = useState<unknown>()
  const [isBusy, setIsBusy] = useState(false)
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('input, select')?.focus()
  }, [])
  const send = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault()
    if (isBusy) return
    setIsBusy(true)
    setFailure(undefined)
    try {
      await submit(new FormData(event.currentTarget))
    } catch (error) {
      setFailure(error)
    } finally {
      setIsBusy(false)
    }
  }
  const problems = failure === undefined ? {} : problemsOf(failure, conflictField)
  return (
    <form ref={form} className="edit" onSubmit={send} aria-labelledby={id} noValidate>
      <h3 id={id}>{title}</h3>
      <div className="edit-fields">{children(problems)}</div>
      {problems[ANYWHERE] !== undefined && (
        <p role="alert" className="notice bad">
          {problems[ANYWHERE]}
        </p>
      )}
      <p className="edit-actions">
        <button type="submit" className="primary" aria-disabled={isBusy}>
          {submitName}
        </button>
        <button type="button" onClick={close}>
          Cancel
        </button>
      </p>
    </form>
  )
}

/** What belongs to no field. */
const ANYWHERE = ''

const problemsOf = (failure: unknown, conflictField: string | undefined): Problems => {
  if (failure instanceof InvalidInput) return { [failure.field]: failure.message }
  if (!(failure instanceof ApiError)) return { [ANYWHERE]: failureText(failure) }
  if (failure.status === 409 && conflictField !== undefined) return { [conflictField]: failure.message }
  const { errors = [] } = failure.problem
  const named = errors.map(({ field, expected }) => [field.replace(/^body\//, ''), `Must be ${expected}.`] as const)
  return named.length === 0 ? { [ANYWHERE]: failureText(failure) } : Object.fromEntries(named)
}

/** Something that the page itself cannot send. */
export class InvalidInput extends Error {
  readonly field: string
  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

/** The text of a field, without space around it. */
export const textIn = (input: FormData, name: string): string => String(input.get(name) ?? '').trim()

/** The number of a field. Throws InvalidInput. */
export const numberIn = (input: FormData, name: string): number => {
  const text = textIn(input, name)
  if (!/^-?\d+(\.\d+)?$/.test(text))
    throw new InvalidInput(name, 'Must be a number, such as 12.5, with a decimal point.')
  return Number(text)
}
