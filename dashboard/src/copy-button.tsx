import { useState } from 'react'

type Props = { readonly text: string; readonly name: string }

/** Copies a text, and says whether it did: without HTTPS, a browser lets no page copy. */
export const CopyButton = ({ text, name }: Props) => {
  const [outcome, setOutcome] = useState<string>()
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      setOutcome('Copied')
    } catch {
      setOutcome('Select the text and copy it')
    }
  }
  return (
    <span className="copying">
      <span role="status" className="hint">
        {outcome}
      </span>
      <button type="button" onClick={copy}>
        Copy<span className="visually-hidden"> {name}</span>
      </button>
    </span>
  )
}
