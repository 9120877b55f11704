import { useState } from 'react'
import { csvName, toCsv } from './csv.ts'
import type { Overview } from './data.ts'
import type { Bar, Line } from './usage.ts'

/** Saves lines as a CSV file, whose name says whose and of which days they are. */
export const useExport = (
  { session, from, to, timeZone }: Overview,
  chosen: Bar | undefined,
  fetchRows: () => Promise<readonly Line[]>,
) => {
  const [isBusy, setIsBusy] = useState(false)
  const [failure, setFailure] = useState<Error>()
  const exportCsv = async (): Promise<void> => {
    setIsBusy(true)
    setFailure(undefined)
    try {
      const name = csvName(session.organization.id, chosen?.from ?? from, chosen?.to ?? to, timeZone)
      save(toCsv(await fetchRows(), timeZone), name)
    } catch (error) {
      setFailure(error instanceof Error ? error : new Error(String(error)))
    } finally {
      setIsBusy(false)
    }
  }
  return { isBusy, failure, exportCsv }
}

const save = (csv: string, name: string): void => {
  const url = URL.createObjectURL(new Blob([csv], { type: 'text/csv;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 1000)
}
