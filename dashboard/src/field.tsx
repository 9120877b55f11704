import { type ReactNode, useId } from 'react'

/** For whatever is typed or chosen in. */
export type InputProps = {
  readonly id: string
  readonly 'aria-invalid'?: true
  readonly 'aria-describedby'?: string
}

type Props = {
  readonly name: string
  /** Beside its name rather than below it. */
  readonly isInline?: boolean
  /** The name is said and not shown. */
  readonly isNameHidden?: boolean
  /** It narrows what is shown. */
  readonly isSet?: boolean
  /** What is wrong with what is in it. */
  readonly problem?: string | undefined
  readonly children: (input: InputProps) => ReactNode
}

/** Something to type or choose, with its name. */
export const Field = ({ name, isInline = false, isNameHidden = false, isSet = false, problem, children }: Props) => {
  const id = useId()
  const wrong = { 'aria-invalid': true, 'aria-describedby': `${id}-problem` } as const
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
      {children({ id, ...(problem !== undefined && wrong) })}
    </div>
  )
}
