/** The documents that are made from the code's own list of settings. `node bin/write-documents.ts` writes them, a test compares. */
import { SETTINGS } from '../src/config.ts'

type Setting = (typeof SETTINGS)[keyof typeof SETTINGS]
type SettingName = Setting['name']

const settings: readonly Setting[] = Object.values(SETTINGS)
const settingsNamed = (names: readonly SettingName[]): readonly Setting[] =>
  names.flatMap((name) => settings.filter((setting) => setting.name === name))

/** Each setting is in one group. */
const GROUPS: readonly {
  readonly title: string
  readonly about: string
  readonly names: readonly SettingName[]
}[] = [
  { title: 'Server', about: '', names: ['PORT', 'HOST', 'PUBLIC_URL', 'KEEP_ALIVE_TIMEOUT', 'SHUTDOWN_TIMEOUT'] },
  {
    title: 'Access',
    about: '[Privacy and security](privacy-and-security.md) explains what each of these protects.',
    names: ['AUTH', 'ALLOWED_HOSTS', 'SESSION_LIFETIME', 'CONTENT_KEY'],
  },
  {
    title: 'Database',
    about: '[Operating](operating.md) compares the two databases.',
    names: ['DATABASE_URL', 'DATABASE_POOL'],
  },
  {
    title: 'Billing periods',
    about:
      'Both apply to a new database only. Afterwards, change the organization: see [the API](api.md#organizations).',
    names: ['TIME_ZONE', 'BILLING_ANCHOR_DAY'],
  },
  {
    title: 'The Copilot service',
    about: 'Only `UPSTREAM_URL` is needed to read messages from the Copilot service.',
    names: [
      'UPSTREAM_URL',
      'UPSTREAM_MAX_AGE',
      'UPSTREAM_STALE_LIMIT',
      'UPSTREAM_TIMEOUT',
      'UPSTREAM_ATTEMPT_TIMEOUT',
      'UPSTREAM_ATTEMPTS',
      'UPSTREAM_CONCURRENCY',
      'UPSTREAM_MAX_BYTES',
      'REPORT_TTL',
      'REPORT_MISSING_TTL',
    ],
  },
  {
    title: 'Limits of intake',
    about: '',
    names: ['INTAKE_MAX_BYTES', 'INTAKE_MAX_BATCH', 'INTAKE_MAX_TEXT', 'INTAKE_MAX_AHEAD', 'INTAKE_QUEUE'],
  },
  {
    title: 'OpenTelemetry',
    about: '[OpenTelemetry](opentelemetry.md) says who sends what.',
    names: ['OTLP_MEMBER', 'OTLP_TEAM', 'OTLP_CACHED_APART'],
  },
  {
    title: 'LiteLLM',
    about: '[LiteLLM](litellm.md) says what becomes of its log entries.',
    names: ['LITELLM_MEMBER', 'LITELLM_TEAM'],
  },
  { title: 'Limits of answers', about: '', names: ['LONG_READINGS', 'ANSWER_MEMORY'] },
  { title: 'Log', about: '', names: ['LOG_LEVEL', 'LOG_FORMAT'] },
]

const SETTINGS_HEAD = `# Settings

<!-- Written by "npm run documents" from src/config.ts: change it there. -->

Settings come from the environment, or from a file \`.env\` in the working directory; the environment wins.
[.env.example](../.env.example) lists them all, ready to copy. An empty value counts as not set.

The process checks every setting when it starts. If one is wrong, it prints one line that names it and exits with code 2.

Durations are written as \`500ms\`, \`10s\`, \`5min\` or \`1h\`, sizes as \`32MiB\`.
`

const ENVIRONMENT_HEAD = `# Copy this file to .env and remove the "# " in front of each setting that you change. The environment wins over this file.
`

export const settingsPage = (): string =>
  [SETTINGS_HEAD, ...GROUPS.map(({ title, about, names }) => `## ${title}\n\n${paragraph(about)}${table(names)}`)].join(
    '\n',
  )

export const environmentExample = (): string => {
  const lines = ({ name, byDefault, meaning }: Setting): string => `# ${meaning}\n# ${name}=${byDefault}\n`
  return [ENVIRONMENT_HEAD, ...settingsNamed(GROUPS.flatMap(({ names }) => names)).map(lines)].join('\n')
}

/** Settings that are in no group, or in two. */
export const ungroupedSettings = (): readonly string[] => {
  const grouped = GROUPS.flatMap(({ names }) => names)
  return settings.map(({ name }) => name).filter((name) => grouped.filter((each) => each === name).length !== 1)
}

const paragraph = (text: string): string => (text === '' ? '' : `${text}\n\n`)

const table = (names: readonly SettingName[]): string => {
  const row = ({ name, byDefault, meaning }: Setting): string =>
    `| \`${name}\` | ${byDefault === '' ? '' : `\`${byDefault}\``} | ${meaning} |\n`
  return `| setting | default | meaning |\n| --- | --- | --- |\n${settingsNamed(names).map(row).join('')}`
}
