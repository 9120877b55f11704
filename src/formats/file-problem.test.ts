import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileProblem } from './file-problem.ts'

test('the problem of a file is said without its path', () => {
  const problemOf = (path: string): string => {
    try {
      readFileSync(path)
      return 'none'
    } catch (error) {
      return fileProblem(error)
    }
  }
  assert.equal(problemOf('/no/such/file'), 'no such file or directory')
  assert.equal(problemOf('/'), 'illegal operation on a directory')
  assert.equal(fileProblem(new Error('is a directory')), 'is a directory')
})
