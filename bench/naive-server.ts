/**
 * A straightforward implementation with the same framework. For each request it fetches the listing and then, one after another,
 * the report of each message that names one. It prices with regular expressions and lets the framework serialize the JSON.
 */
import Fastify from 'fastify'
import { naivePrice } from '../test/naive-rating.ts'

const [port, upstream] = [Number(process.argv[2]), process.argv[3]]

type Message = { readonly id: number; readonly text: string; readonly timestamp: string; readonly report_id?: number }

const app = Fastify()
app.get('/usage', async () => {
  const listing = (await (await fetch(`${upstream}/messages/current-period`)).json()) as {
    readonly messages: readonly Message[]
  }
  const usage = []
  for (const { id, text, timestamp, report_id } of listing.messages) {
    const response = report_id === undefined ? undefined : await fetch(`${upstream}/reports/${report_id}`)
    if (response?.ok === true) {
      const report = (await response.json()) as { readonly name: string; readonly credit_cost: number }
      usage.push({ message_id: id, timestamp, report_name: report.name, credits_used: report.credit_cost })
    } else {
      await response?.text()
      usage.push({ message_id: id, timestamp, credits_used: Number(naivePrice(text)) / 1e6 })
    }
  }
  return { usage }
})
await app.listen({ port, host: '127.0.0.1' })
process.stdout.write('listening\n')
