/** Reads and checks every setting once, at start. No other module reads `process.env`; each is given what it needs. */
import { isTimeZone } from '#calendar/zones.ts'
import { ServiceError } from '#model/errors.ts'
import { readEnvFile } from './env-file.ts'
import { isContentKey } from './intake/content-digest.ts'
import { isContent, MEMBERS, TEAMS } from './otlp/attribute-names.ts'

/** Every setting by its field: a setting is added to `SETTINGS`, and nowhere else. */
export type Config = { readonly [Field in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[Field]['read']> }

export type DatabaseAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string }

/** docs/settings.md and .env.example are generated from `byDefault` and `meaning`; a test compares them. */
type Setting = {
  /** The name in the environment. */
  readonly name: string
  readonly byDefault: string
  readonly read: (value: string) => unknown
  readonly meaning: string
  /** Whether an error must not show the value. */
  readonly isSecret?: true
}

/** Throws InvalidConfig, one line that names every invalid setting. An empty value counts as unset. */
export const readConfig = (environment: Environment): Config => {
  const problems: string[] = []
  const readSetting = ({ name, byDefault, read, isSecret }: Setting): unknown => {
    const value = environment[name]?.trim() || byDefault
    try {
      return read(value)
    } catch (error) {
      if (!(error instanceof Expected)) throw error
      const found = isSecret === true ? ' (value not shown)' : `, not ${JSON.stringify(withoutSecrets(value))}`
      problems.push(`${name} must be ${error.message}${found}`)
      return undefined
    }
  }
  const values = Object.entries(SETTINGS).map(([field, setting]) => [field, readSetting(setting)])
  if (problems.length > 0) throw new InvalidConfig(problems.join('; '))
  return Object.fromEntries(values) as Config
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment. Settings that it lacks are added from `.env` in the working directory. Throws InvalidConfig. */
export const environmentWithFile = (): Environment => {
  try {
    const added = readEnvFile('.env') ?? {}
    for (const [name, value] of Object.entries(added)) process.env[name] ??= value
  } catch (error) {
    throw new InvalidConfig(error instanceof Error ? error.message : String(error))
  }
  return process.env
}

export class InvalidConfig extends ServiceError {
  constructor(message: string) {
    super('invalid-config', message)
  }
}

/** Its message completes "must be". */
class Expected extends Error {}

const wholeNumber =
  (least: number, most: number) =>
  (value: string): number => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= least && number <= most)) throw new Expected(`a whole number from ${least} to ${most}`)
    return number
  }

const DURATION_MAX_MS = 24 * 3_600_000

const shortDuration = (ms: number): string => (ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${ms / 60_000}min`)

const DURATION_UNITS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 } as const

const duration =
  (least: '0' | '1ms', most = DURATION_MAX_MS) =>
  (value: string): number => {
    const [, number, unit] = /^(\d{1,9})(ms|s|min|h)$/.exec(value) ?? []
    const ms = value === '0' ? 0 : Number(number) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS]
    const isTooSmall = least === '1ms' && ms === 0
    if (Number.isNaN(ms) || isTooSmall || ms > most) {
      throw new Expected(`a duration from ${least} to ${shortDuration(most)}, such as 500ms, 10s or 5min`)
    }
    return ms
  }

const BYTE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

const bytes = (value: string): number => {
  const [, number, unit] = /^(\d{1,6})(B|KiB|MiB|GiB)$/.exec(value) ?? []
  const count = Number(number) * BYTE_UNITS[unit as keyof typeof BYTE_UNITS]
  if (!(count >= 1024 && count <= 16 * BYTE_UNITS.GiB)) throw new Expected('a size from 1KiB to 16GiB, such as 32MiB')
  return count
}

const oneOf =
  <T extends string>(...choices: readonly T[]) =>
  (value: string): T => {
    const choice = choices.find((each) => each === value)
    if (choice === undefined) throw new Expected(`one of ${choices.join(', ')}`)
    return choice
  }

const httpUrl = (value: string): URL | undefined => {
  if (value === '') return undefined
  const url = URL.parse(value)
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw new Expected('an http or https URL without query, fragment, user name or password')
  }
  return url
}

const databaseUrl = (value: string): DatabaseAddress => {
  const [, path] = /^sqlite:(?:\/\/)?(.+)$/.exec(value) ?? []
  if (path !== undefined && path !== ':memory:') return { kind: 'sqlite', path }
  const url = URL.parse(value)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new Expected('sqlite: followed by a file path, or a postgres:// URL')
  }
  return { kind: 'postgres', url: value }
}

const contentKey = (value: string): string | undefined => {
  if (value === '') return undefined
  if (!isContentKey(value)) throw new Expected('32 to 64 visible ASCII characters')
  return value
}

const timeZone = (value: string): string => {
  if (!isTimeZone(value)) throw new Expected('an IANA time zone, such as Europe/London')
  return value
}

/**
 * Makes a value safe to show. Any setting can hold a URL by mistake, and the part before an `@` or after a `?` or `#` can be a
 * password or a token.
 */
const withoutSecrets = (value: string): string =>
  value.replace(/^([a-z][a-z0-9+.-]*:\/*)?.*@/is, '$1***@').replace(/([?#]).+$/s, '$1***')

const hostName = (value: string): string => {
  if (!/^[\w.:-]+$/.test(value)) throw new Expected('an IP address or a host name, such as 127.0.0.1')
  return value
}

const hostNames = (value: string): readonly string[] => {
  const names = value.split(',').flatMap((each) => each.trim() || [])
  if (!names.every((name) => /^(\*|[\w-]+(\.[\w-]+)*\.?)$/.test(name))) {
    throw new Expected('host names without ports, separated by commas, such as credits.example.com, or *')
  }
  return names
}

const nameList = (value: string): readonly string[] => value.split(',').flatMap((each) => each.trim() || [])

const attributeNames = (value: string): readonly string[] => {
  const names = nameList(value)
  if (names.some(isContent)) throw new Expected('names of attributes or fields that hold no content, such as user.id')
  return names
}

const publicUrl = (value: string): URL | undefined => {
  const url = URL.parse(value)
  if (value === '') return undefined
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new Expected('an http or https URL without a path, such as https://credits.example.com')
  }
  return url
}

export const SETTINGS = {
  port: {
    name: 'PORT',
    byDefault: '8000',
    read: wholeNumber(0, 65_535),
    meaning: 'Port to listen on; 0 picks a free port',
  },
  host: { name: 'HOST', byDefault: '127.0.0.1', read: hostName, meaning: 'Address to listen on' },
  upstreamUrl: {
    name: 'UPSTREAM_URL',
    byDefault: '',
    read: httpUrl,
    meaning:
      'Base URL of the Copilot service; if unset, usage comes from the ledger, or from the bundled sample while the ledger is empty',
  },
  upstreamMaxAgeMs: {
    name: 'UPSTREAM_MAX_AGE',
    byDefault: '1s',
    read: duration('0'),
    meaning: 'How long a response is reused before asking the upstream again; 0 asks every time',
  },
  upstreamStaleLimitMs: {
    name: 'UPSTREAM_STALE_LIMIT',
    byDefault: '5min',
    read: duration('0'),
    meaning:
      'Maximum age of the last good response served while the upstream fails, and of the rate cards read last while the database ' +
      'fails; 0 serves none',
  },
  upstreamTimeoutMs: {
    name: 'UPSTREAM_TIMEOUT',
    byDefault: '10s',
    read: duration('1ms'),
    meaning: 'Deadline for refreshing the current period, retries included',
  },
  upstreamAttemptTimeoutMs: {
    name: 'UPSTREAM_ATTEMPT_TIMEOUT',
    byDefault: '3s',
    read: duration('1ms'),
    meaning: 'Deadline for one attempt of an upstream request, response body included',
  },
  upstreamAttempts: {
    name: 'UPSTREAM_ATTEMPTS',
    byDefault: '3',
    read: wholeNumber(1, 20),
    meaning: 'Maximum attempts per upstream request',
  },
  upstreamConcurrency: {
    name: 'UPSTREAM_CONCURRENCY',
    byDefault: '8',
    read: wholeNumber(1, 256),
    meaning: 'Maximum concurrent requests for reports',
  },
  upstreamMaxBytes: {
    name: 'UPSTREAM_MAX_BYTES',
    byDefault: '32MiB',
    read: bytes,
    meaning: 'Maximum size of an upstream response',
  },
  reportTtlMs: {
    name: 'REPORT_TTL',
    byDefault: '5min',
    read: duration('0'),
    meaning: 'How long a report from the upstream is cached',
  },
  reportMissingTtlMs: {
    name: 'REPORT_MISSING_TTL',
    byDefault: '30s',
    read: duration('0'),
    meaning: "How long the upstream's 404 for a report is cached",
  },
  database: {
    name: 'DATABASE_URL',
    byDefault: 'sqlite:data/copilot-credits.db',
    read: databaseUrl,
    meaning: 'Database: `sqlite:` followed by a file path, or a `postgres://` URL',
    isSecret: true,
  },
  databasePoolSize: {
    name: 'DATABASE_POOL',
    byDefault: '10',
    read: wholeNumber(2, 1000),
    meaning: 'Maximum connections to PostgreSQL per process',
  },
  auth: {
    name: 'AUTH',
    byDefault: 'keys',
    read: oneOf('keys', 'none'),
    meaning:
      '`keys`: requests need an API key; on loopback, only once a key exists. `none`: anyone who can reach the service has full access',
  },
  allowedHosts: {
    name: 'ALLOWED_HOSTS',
    byDefault: '',
    read: hostNames,
    meaning:
      'Host names accepted without an API key, besides localhost and IP addresses: with `AUTH=none`, and for `/metrics` on loopback; comma-separated, `*` for any',
  },
  publicUrl: {
    name: 'PUBLIC_URL',
    byDefault: '',
    read: publicUrl,
    meaning: 'URL of the dashboard as browsers see it; needed only if a proxy changes the Host header',
  },
  sessionLifetimeMs: {
    name: 'SESSION_LIFETIME',
    byDefault: '12h',
    read: duration('1ms'),
    meaning: 'How long a dashboard session lasts after sign-in',
  },
  contentKey: {
    name: 'CONTENT_KEY',
    byDefault: '',
    read: contentKey,
    meaning:
      'Secret key for message digests and dashboard sessions; if unset, one is generated and stored in the database',
    isSecret: true,
  },
  timeZone: {
    name: 'TIME_ZONE',
    byDefault: 'UTC',
    read: timeZone,
    meaning: 'Initial IANA time zone of the organization `default`',
  },
  billingAnchorDay: {
    name: 'BILLING_ANCHOR_DAY',
    byDefault: '1',
    read: wholeNumber(1, 31),
    meaning: 'Initial day of the month on which the billing periods of `default` start',
  },
  intakeBodyBytesMax: {
    name: 'INTAKE_MAX_BYTES',
    byDefault: '16MiB',
    read: bytes,
    meaning: 'Maximum size of a request body with messages, except NDJSON',
  },
  intakeBatchMax: {
    name: 'INTAKE_MAX_BATCH',
    byDefault: '10000',
    read: wholeNumber(1, 100_000),
    meaning: 'Maximum messages per request, except NDJSON',
  },
  intakeTextBytesMax: {
    name: 'INTAKE_MAX_TEXT',
    byDefault: '1MiB',
    read: bytes,
    meaning: "Maximum length of a message's text, in UTF-8 bytes",
  },
  intakeAheadMaxMs: {
    name: 'INTAKE_MAX_AHEAD',
    byDefault: '5min',
    read: duration('0', 5 * 60_000),
    meaning: 'How far in the future a timestamp can be; at most 5min',
  },
  otlpMembers: {
    name: 'OTLP_MEMBER',
    byDefault: MEMBERS.join(','),
    read: attributeNames,
    meaning:
      'Attributes of spans and log records that name the member, comma-separated: of the record, or else of its resource, the first that is present',
  },
  otlpTeams: {
    name: 'OTLP_TEAM',
    byDefault: TEAMS.join(','),
    read: attributeNames,
    meaning: 'Attributes that name the team, likewise',
  },
  otlpCachedApart: {
    name: 'OTLP_CACHED_APART',
    byDefault: '',
    read: nameList,
    meaning:
      'Instrumentations (scope names) and services (`service.name`) whose input tokens do not include cached ones, comma-separated; only for senders that the service does not know itself',
  },
  litellmMembers: {
    name: 'LITELLM_MEMBER',
    byDefault: 'end_user,metadata.user_api_key_end_user_id,metadata.user_api_key_user_id',
    read: attributeNames,
    meaning: "Fields of LiteLLM's log entries that name the member, comma-separated, the first that is not empty",
  },
  litellmTeams: {
    name: 'LITELLM_TEAM',
    byDefault: 'metadata.user_api_key_team_id',
    read: attributeNames,
    meaning: 'Fields that name the team, likewise',
  },
  intakeQueueBytesMax: {
    name: 'INTAKE_QUEUE',
    byDefault: '64MiB',
    read: bytes,
    meaning: 'Maximum total size of request bodies in progress; a key that exceeds its share gets 503',
  },
  longReadingsMax: {
    name: 'LONG_READINGS',
    byDefault: '4',
    read: wholeNumber(1, 1000),
    meaning:
      'Maximum concurrent reads of more than 10,000 messages from the ledger; beyond it, such requests get 503. With PostgreSQL, at most half of DATABASE_POOL',
  },
  answerBytesMax: {
    name: 'ANSWER_MEMORY',
    byDefault: '128MiB',
    read: bytes,
    meaning:
      'Memory for responses from the ledger; beyond it, requests for more than 10,000 messages get 503. Up to half of it caches finished responses',
  },
  keepAliveTimeoutMs: {
    name: 'KEEP_ALIVE_TIMEOUT',
    byDefault: '75s',
    read: duration('1ms'),
    meaning:
      'How long an idle connection stays open; set it longer than the idle timeout of a load balancer in front, usually 60s',
  },
  logLevel: {
    name: 'LOG_LEVEL',
    byDefault: 'info',
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    meaning: 'Minimum severity to log: fatal, error, warn, info, debug, trace or silent',
  },
  logFormat: {
    name: 'LOG_FORMAT',
    byDefault: 'auto',
    read: oneOf('json', 'pretty', 'auto'),
    meaning: '`json`, `pretty`, or `auto`: pretty on a terminal, otherwise JSON',
  },
  shutdownTimeoutMs: {
    name: 'SHUTDOWN_TIMEOUT',
    byDefault: '10s',
    read: duration('1ms'),
    meaning: 'How long in-flight requests can take after SIGTERM or SIGINT',
  },
} as const satisfies Record<string, Setting>
