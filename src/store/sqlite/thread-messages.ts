/** The messages between the threads. */
import { type ServiceError, StoreBusy, StoreError } from '#model/errors.ts'

export type Reply = { readonly id: number; readonly value?: unknown; readonly failure?: Failure }

/** An error in a form that can be sent to another thread. SQLite's messages name tables and files, never values. */
export type Failure = { readonly message: string; readonly isBusy: boolean }

export const toFailure = (error: unknown): Failure => ({
  message: error instanceof Error ? error.message : String(error),
  isBusy: error instanceof StoreBusy,
})

export const toError = ({ message, isBusy }: Failure): ServiceError =>
  isBusy ? new StoreBusy(message) : new StoreError(message)
