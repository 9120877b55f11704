/** The names that records keep because their cells have `(other)` in place of them. */
import { OTHER_COLUMNS } from '../shared/others.ts'

const KEY = ['organization_id', 'at_ms', 'message_id', 'revision']

export const ADD_NAMES = `INSERT INTO other_name (${KEY.join(', ')}, ${OTHER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`

export const FIND_NAMES = `
  SELECT ${OTHER_COLUMNS} FROM other_name WHERE ${KEY.map((column) => `${column} = ?`).join(' AND ')}`

/** The condition that names are those of a record. */
export const NAMES_OF_RECORD = KEY.map((column) => `other_name.${column} = record.${column}`).join(' AND ')
