import { useEffect, useState } from 'react'

const PAUSE_MS = 300

/** The text once nobody has typed for a moment. */
export const usePaused = <T extends string | undefined>(text: T): T => {
  const [paused, setPaused] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  return paused
}
