import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Config } from './config.ts'
import { createLog } from './log.ts'

const logTo = (lines: string[], logLevel: Config['logLevel'] = 'info') =>
  createLog({ logLevel, logFormat: 'json' }, { write: (text) => lines.push(text) })

test('an answered request is logged in the line that pino writes of it', () => {
  const request = fc.record({
    reqId: fc.string(),
    method: fc.string(),
    path: fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 50 })),
    status: fc.integer({ min: 100, max: 599 }),
    ms: fc.nat().map((hundredths) => hundredths / 100),
  })
  const withoutTime = (line: string | undefined) => line?.replace(/"time":"[^"]+"/, '"time"')
  const lines: string[] = []
  const log = logTo(lines)
  fc.assert(
    fc.property(request, (answer) => {
      log.answered(answer)
      log.flush()
      log.logger.info(answer, 'answered')
      log.flush()
      const [ours, pinos] = lines.splice(0)
      assert.equal(withoutTime(ours), withoutTime(pinos))
      assert.doesNotThrow(() => JSON.parse(ours ?? ''))
    }),
  )
})

test('an answered request is not logged above the level info', () => {
  const lines: string[] = []
  const log = logTo(lines, 'warn')
  log.answered({ reqId: '1', method: 'GET', path: '/usage', status: 200, ms: 1 })
  log.flush()
  assert.deepEqual(lines, [])
})

test('lines are written in the order in which they were logged', () => {
  const lines: string[] = []
  const log = logTo(lines)
  log.logger.info('first')
  log.answered({ reqId: 'second', method: 'GET', path: '/usage', status: 200, ms: 1 })
  log.logger.info('third')
  log.flush()
  assert.match(lines.join(''), /first.*\n.*second.*\n.*third/)
})
