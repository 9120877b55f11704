/** Bounds what is being taken in at one time, in bytes of bodies, before anything of a request is read. */
import { StoreBusy } from '#model/errors.ts'

export type IntakeGate = {
  /** Lets a body of so many bytes in and returns what lets it out again. Throws StoreBusy where there is no room. */
  readonly enter: (bytes: number) => () => void
}

export const createIntakeGate = (bytesMax: number): IntakeGate => {
  let inside = 0
  return {
    enter: (bytes) => {
      if (inside > 0 && inside + bytes > bytesMax) {
        throw new StoreBusy(
          'The service is already taking in as many messages as INTAKE_QUEUE allows: try again in a second.',
        )
      }
      inside += bytes
      let isInside = true
      return () => {
        if (isInside) inside -= bytes
        isInside = false
      }
    },
  }
}
