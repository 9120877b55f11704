/** The text of openapi.json: the response of /openapi.json, formatted for reading. */
import { startService } from './harness.ts'

export const openApiText = async (): Promise<string> => {
  await using service = await startService({})
  const response = await fetch(`${service.url}/openapi.json`)
  return `${JSON.stringify(await response.json(), null, 2)}\n`
}
