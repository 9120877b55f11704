/** Writes docs/settings.md and .env.example from the settings. A test fails when it was forgotten. */
import { writeFileSync } from 'node:fs'
import { environmentExample, settingsPage } from './documents.ts'

writeFileSync('docs/settings.md', settingsPage())
writeFileSync('.env.example', environmentExample())
