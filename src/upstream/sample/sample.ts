/** The bundled sample: a period, served until a Copilot service is configured, and the one before it, to compare it with. */
import { join } from 'node:path'

const fileNamed = (name: string): string => join(import.meta.dirname, name)

export const samplePeriod = { messages: fileNamed('messages.json'), reports: fileNamed('reports.json') }

export const periodBeforeSample = { ...samplePeriod, messages: fileNamed('messages-before.json') }
