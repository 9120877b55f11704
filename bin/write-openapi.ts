/** Writes openapi.json from the schemas. A test fails if the file is stale. */
import { writeFileSync } from 'node:fs'
import { openApiText } from '../test/openapi-text.ts'

writeFileSync('openapi.json', await openApiText())
