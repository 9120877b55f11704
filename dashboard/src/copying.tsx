import { useState } from 'react'

/** Buttons that copy, and what came of the last one. */
export const useCopying = () => {
  const [outcome, setOutcome] = useState('')
  const copy = async (text: string, done = 'Copied.'): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      setOutcome(done)
    } catch {
      setOutcome('Your browser blocked copying. Select the text and copy it yourself.')
    }
  }
  return { outcome, copy }
}
