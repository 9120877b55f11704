/** The bundled sample period: what the service answers before it is told where the Copilot service is. */
import { join } from 'node:path'

export const samplePeriod = {
  messages: join(import.meta.dirname, 'messages.json'),
  reports: join(import.meta.dirname, 'reports.json'),
}
