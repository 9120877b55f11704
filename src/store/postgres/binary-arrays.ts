/**
 * Arrays as query parameters for `unnest`, in PostgreSQL's binary format: pg sends a Buffer unchanged. Nothing needs quoting,
 * and neither side converts numbers or bytes to text (`npm run bench -- arrays`).
 *
 * An array consists of the number of dimensions, whether there are NULLs, the type of the elements, their count and the first
 * index, then the length (-1 for NULL) and bytes of each element. All integers are big-endian.
 * https://doxygen.postgresql.org/arrayfuncs_8c.html
 */

/** The object ids of the types in `pg_type`, which are the same in every installation. */
const BYTEA = 17
const BIGINT = 20
const INTEGER = 23
const TEXT = 25

const HEADER_BYTES = 20
const LENGTH_BYTES = 4
const NULL_LENGTH = -1

/** Here and below, `undefined` becomes NULL. */
export const bigints = (values: readonly (number | bigint | undefined)[]): Buffer => {
  const array = createArray(BIGINT, values.length, values.length * (LENGTH_BYTES + 8), values.includes(undefined))
  let at = HEADER_BYTES
  for (const value of values) {
    at = array.writeInt32BE(value === undefined ? NULL_LENGTH : 8, at)
    if (typeof value === 'bigint') {
      at = array.writeBigInt64BE(value, at)
    } else if (value !== undefined) {
      // Written in two halves, because creating a bigint for each number would take most of the time.
      at = array.writeInt32BE(Math.floor(whole(value) / 2 ** 32), at)
      at = array.writeUInt32BE(value >>> 0, at)
    }
  }
  return array.subarray(0, at)
}

export const integers = (values: readonly (number | undefined)[]): Buffer => {
  const array = createArray(INTEGER, values.length, values.length * (LENGTH_BYTES + 4), values.includes(undefined))
  let at = HEADER_BYTES
  for (const value of values) {
    at = array.writeInt32BE(value === undefined ? NULL_LENGTH : 4, at)
    if (value !== undefined) at = array.writeInt32BE(whole(value), at)
  }
  return array.subarray(0, at)
}

export const texts = (values: readonly (string | undefined)[]): Buffer => {
  // A UTF-16 code unit takes at most three bytes of UTF-8.
  const bytesMax = values.reduce((sum, value) => sum + LENGTH_BYTES + (value?.length ?? 0) * 3, 0)
  const array = createArray(TEXT, values.length, bytesMax, values.includes(undefined))
  let at = HEADER_BYTES
  for (const value of values) {
    const length = value === undefined ? NULL_LENGTH : array.write(value, at + LENGTH_BYTES)
    at = array.writeInt32BE(length, at) + Math.max(length, 0)
  }
  return array.subarray(0, at)
}

export const byteStrings = (values: readonly Uint8Array[]): Buffer => {
  const bytes = values.reduce((sum, value) => sum + LENGTH_BYTES + value.length, 0)
  const array = createArray(BYTEA, values.length, bytes)
  let at = HEADER_BYTES
  for (const value of values) {
    at = array.writeInt32BE(value.length, at)
    array.set(value, at)
    at += value.length
  }
  return array
}

/** An array of one dimension, whose first index is 1. The caller writes the elements. */
const createArray = (type: number, count: number, elementBytes: number, hasNulls = false): Buffer => {
  const array = Buffer.allocUnsafe(HEADER_BYTES + elementBytes)
  let at = 0
  for (const field of [1, hasNulls ? 1 : 0, type, count, 1]) at = array.writeInt32BE(field, at)
  return array
}

/** Buffer would silently drop a fraction. */
const whole = (value: number): number => {
  if (!Number.isInteger(value)) throw new RangeError(`not a whole number: ${value}`)
  return value
}
