import { type ReactNode, useId } from 'react'

/** Props for the input or select inside a field. */
export type InputProps = {
  readonly id: string
  readonly 'aria-invalid'?: true
  readonly 'aria-describedby'?: string
}

type Props = {
  readonly name: string
  /** The label is beside the input, not above it. */
  readonly isInline?: boolean
  /** The label is for screen readers only. */
  readonly isNameHidden?: boolean
  /** The field is set and filters the table. */
  readonly isSet?: boolean
  /** Why the value is invalid, and what to enter instead. */
  readonly problem?: string | undefined
  readonly children: (input: InputProps) => ReactNode
}

/** A labeled input. */
export const Field = ({ name, isInline = false, isNameHidden = false, isSet = false, problem, children }: Props) => {
  const id = useId()
  const invalid = { 'aria-invalid': true, 'aria-describedby': `${id}-problem` } as const
  return (
    <div className={`field${isInline ? ' inline' : ''}${isSet ? ' set' : ''}`}>
      <label htmlFor={id} className={isNameHidden ? 'visually-hidden' : undefined}>
        {name}
      </label>
      {problem !== undefined && (
        <p id={`${id}-problem`} role="alert" className="problem">
          {problem}
        </p>
      )}
      {children({ id, ...(problem !== undefined && invalid) })}
    </div>
  )
}
