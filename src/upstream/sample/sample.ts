/** The bundled sample period, served until a Copilot service is configured. */
import { join } from 'node:path'

export const samplePeriod = {
  messages: join(import.meta.dirname, 'messages.json'),
  reports: join(import.meta.dirname, 'reports.json'),
}
