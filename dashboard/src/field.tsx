import { type ReactNode, useId } from 'react'

type Props = {
  readonly name: string
  /** Beside its name rather than below it. */
  readonly isInline?: boolean
  /** The name is said and not shown. */
  readonly isNameHidden?: boolean
  /** It narrows what is shown. */
  readonly isSet?: boolean
  readonly children: (id: string) => ReactNode
}

/** Something to type or choose, with its name. */
export const Field = ({ name, isInline = false, isNameHidden = false, isSet = false, children }: Props) => {
  const id = useId()
  return (
    <div className={`field${isInline ? ' inline' : ''}${isSet ? ' set' : ''}`}>
      <label htmlFor={id} className={isNameHidden ? 'visually-hidden' : undefined}>
        {name}
      </label>
      {children(id)}
    </div>
  )
}
