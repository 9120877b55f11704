/** Writes openapi.json from the schemas. A test fails when it was forgotten. */
import { writeFileSync } from 'node:fs'
import { openApiText } from '../test/openapi-text.ts'

writeFileSync('openapi.json', await openApiText())
