import { ServiceError } from '#model/errors.ts'

/** A file of a vendor that cannot be compared: names the place, and what must be there as a phrase that completes "must be". */
export class WrongFile extends ServiceError {
  constructor(place: string, expected: string) {
    super('invalid-request', `${place.slice(0, 1).toUpperCase()}${place.slice(1)} must be ${expected}.`)
  }
}
