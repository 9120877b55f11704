/** What an operator should know about a store, and whether its contents are sound. */
export type StoreNotice = {
  readonly severity: 'info' | 'warn' | 'error'
  readonly message: string
  /** Present only at the end of a check of the whole database. */
  readonly isSound?: boolean
}

export type StoreObserver = (notice: StoreNotice) => void

/** Is told in a sentence how far a migration has come, from time to time while it lasts. */
export type MigrationObserver = (progress: string) => void
