/** The text of openapi.json: what the service answers at /openapi.json, laid out for reading. */
import { startService } from './harness.ts'

export const openApiText = async (): Promise<string> => {
  await using service = await startService({})
  const response = await fetch(`${service.url}/openapi.json`)
  return `${JSON.stringify(await response.json(), null, 2)}\n`
}
