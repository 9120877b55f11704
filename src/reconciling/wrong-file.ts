import { ServiceError } from '#model/errors.ts'
import { capitalized } from './capitalized.ts'

/** A file of a vendor that cannot be compared: names the place, and what must be there as a phrase that completes "must be". */
export class WrongFile extends ServiceError {
  constructor(place: string, expected: string) {
    super('invalid-request', `${capitalized(place)} must be ${expected}.`)
  }
}
