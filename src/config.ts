/** Environment → Config, checked once. The only reader of settings; everything else is handed what it needs. */
import { isTimeZone } from '#calendar/zones.ts'
import { isContentKey } from '#metering/content-digest.ts'
import { ServiceError } from '#model/errors.ts'
import { readEnvFile } from './env-file.ts'

export type Config = {
  readonly port: number
  readonly host: string
  /** Without it the bundled sample period is answered. */
  readonly upstreamUrl: URL | undefined
  readonly upstreamMaxAgeMs: number
  readonly upstreamStaleLimitMs: number
  readonly upstreamTimeoutMs: number
  readonly upstreamAttemptTimeoutMs: number
  readonly upstreamAttempts: number
  readonly upstreamConcurrency: number
  readonly upstreamMaxBytes: number
  readonly reportTtlMs: number
  readonly reportMissingTtlMs: number
  readonly database: DatabaseAddress
  readonly databasePoolSize: number
  /** `none`: something else guards the door, and nobody is asked for a key. */
  readonly auth: 'keys' | 'none'
  /** Names under which the service answers although nobody is asked for a key. */
  readonly allowedHosts: readonly string[]
  /** Where browsers see the service, if that is not what it sees itself. */
  readonly publicUrl: URL | undefined
  readonly sessionLifetimeMs: number
  /** Without it the store has one of its own. */
  readonly contentKey: string | undefined
  /** What `default` begins with, where the store is new. */
  readonly timeZone: string
  readonly billingAnchorDay: number
  readonly intakeBodyBytesMax: number
  readonly intakeBatchMax: number
  readonly intakeTextBytesMax: number
  readonly intakeAheadMaxMs: number
  readonly intakeQueueBytesMax: number
  readonly longReadingsMax: number
  readonly answerBytesMax: number
  readonly keepAliveTimeoutMs: number
  readonly logLevel: string
  readonly logFormat: 'json' | 'pretty' | 'auto'
  readonly shutdownTimeoutMs: number
}

export type DatabaseAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string }

/** A setting: its value where it is not set, how it is read, and what it is for (the README's table says the same). */
type Setting<T> = { readonly byDefault: string; readonly read: (value: string) => T; readonly meaning: string }

/** Throws InvalidConfig, which names every setting that is wrong in one line. An empty value counts as not set. */
export const readConfig = (environment: Environment): Config => {
  const problems: string[] = []
  const read = <T>(name: string, { byDefault, read: parse }: Setting<T>): T => {
    const value = environment[name]?.trim() || byDefault
    try {
      return parse(value)
    } catch (error) {
      if (!(error instanceof Expected)) throw error
      const found = SECRETS.has(name) ? '; its value is not shown' : `, not ${JSON.stringify(withoutSecrets(value))}`
      problems.push(`${name} must be ${error.message}${found}`)
      return parse(byDefault)
    }
  }
  const config: Config = {
    port: read('PORT', SETTINGS.PORT),
    host: read('HOST', SETTINGS.HOST),
    upstreamUrl: read('UPSTREAM_URL', SETTINGS.UPSTREAM_URL),
    upstreamMaxAgeMs: read('UPSTREAM_MAX_AGE', SETTINGS.UPSTREAM_MAX_AGE),
    upstreamStaleLimitMs: read('UPSTREAM_STALE_LIMIT', SETTINGS.UPSTREAM_STALE_LIMIT),
    upstreamTimeoutMs: read('UPSTREAM_TIMEOUT', SETTINGS.UPSTREAM_TIMEOUT),
    upstreamAttemptTimeoutMs: read('UPSTREAM_ATTEMPT_TIMEOUT', SETTINGS.UPSTREAM_ATTEMPT_TIMEOUT),
    upstreamAttempts: read('UPSTREAM_ATTEMPTS', SETTINGS.UPSTREAM_ATTEMPTS),
    upstreamConcurrency: read('UPSTREAM_CONCURRENCY', SETTINGS.UPSTREAM_CONCURRENCY),
    upstreamMaxBytes: read('UPSTREAM_MAX_BYTES', SETTINGS.UPSTREAM_MAX_BYTES),
    reportTtlMs: read('REPORT_TTL', SETTINGS.REPORT_TTL),
    reportMissingTtlMs: read('REPORT_MISSING_TTL', SETTINGS.REPORT_MISSING_TTL),
    database: read('DATABASE_URL', SETTINGS.DATABASE_URL),
    databasePoolSize: read('DATABASE_POOL', SETTINGS.DATABASE_POOL),
    auth: read('AUTH', SETTINGS.AUTH),
    allowedHosts: read('ALLOWED_HOSTS', SETTINGS.ALLOWED_HOSTS),
    publicUrl: read('PUBLIC_URL', SETTINGS.PUBLIC_URL),
    sessionLifetimeMs: read('SESSION_LIFETIME', SETTINGS.SESSION_LIFETIME),
    contentKey: read('CONTENT_KEY', SETTINGS.CONTENT_KEY),
    timeZone: read('TIME_ZONE', SETTINGS.TIME_ZONE),
    billingAnchorDay: read('BILLING_ANCHOR_DAY', SETTINGS.BILLING_ANCHOR_DAY),
    intakeBodyBytesMax: read('INTAKE_MAX_BYTES', SETTINGS.INTAKE_MAX_BYTES),
    intakeBatchMax: read('INTAKE_MAX_BATCH', SETTINGS.INTAKE_MAX_BATCH),
    intakeTextBytesMax: read('INTAKE_MAX_TEXT', SETTINGS.INTAKE_MAX_TEXT),
    intakeAheadMaxMs: read('INTAKE_MAX_AHEAD', SETTINGS.INTAKE_MAX_AHEAD),
    intakeQueueBytesMax: read('INTAKE_QUEUE', SETTINGS.INTAKE_QUEUE),
    longReadingsMax: read('LONG_READINGS', SETTINGS.LONG_READINGS),
    answerBytesMax: read('ANSWER_MEMORY', SETTINGS.ANSWER_MEMORY),
    keepAliveTimeoutMs: read('KEEP_ALIVE_TIMEOUT', SETTINGS.KEEP_ALIVE_TIMEOUT),
    logLevel: read('LOG_LEVEL', SETTINGS.LOG_LEVEL),
    logFormat: read('LOG_FORMAT', SETTINGS.LOG_FORMAT),
    shutdownTimeoutMs: read('SHUTDOWN_TIMEOUT', SETTINGS.SHUTDOWN_TIMEOUT),
  }
  if (problems.length > 0) throw new InvalidConfig(problems.join('; '))
  return config
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment with what a file `.env` in the working directory adds, which never replaces what is set. Throws InvalidConfig. */
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
    super('invalid_config', message)
  }
}

/** What a setting's value should have been. */
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
      throw new Expected(`a duration of ${least} to ${shortDuration(most)}, such as 500ms, 10s or 5min`)
    }
    return ms
  }

const BYTE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

const bytes = (value: string): number => {
  const [, number, unit] = /^(\d{1,6})(B|KiB|MiB|GiB)$/.exec(value) ?? []
  const count = Number(number) * BYTE_UNITS[unit as keyof typeof BYTE_UNITS]
  if (!(count >= 1024 && count <= 16 * BYTE_UNITS.GiB)) throw new Expected('a size of 1KiB to 16GiB, such as 32MiB')
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
    throw new Expected('an http or https URL without a query, a fragment or a password')
  }
  return url
}

const databaseUrl = (value: string): DatabaseAddress => {
  const [, path] = /^sqlite:(?:\/\/)?(.+)$/.exec(value) ?? []
  if (path !== undefined && path !== ':memory:') return { kind: 'sqlite', path }
  const url = URL.parse(value)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new Expected('sqlite: and the path of a file, or a postgres:// URL')
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
 * A value that may be shown. Any setting may have been given a URL by mistake: what stands before an `@`, and what follows
 * a `?` or a `#`, can be a password or a token.
 */
const withoutSecrets = (value: string): string =>
  value.replace(/^([a-z][a-z0-9+.-]*:\/*)?.*@/is, '$1***@').replace(/([?#]).+$/s, '$1***')

/** Values that are not shown. */
const SECRETS: ReadonlySet<string> = new Set(['CONTENT_KEY', 'DATABASE_URL'])

const hostName = (value: string): string => {
  if (!/^[\w.:-]+$/.test(value)) throw new Expected('an address or host name, such as 127.0.0.1')
  return value
}

const hostNames = (value: string): readonly string[] => {
  const names = value.split(',').flatMap((each) => each.trim() || [])
  if (!names.every((name) => /^(\*|[\w-]+(\.[\w-]+)*\.?)$/.test(name))) {
    throw new Expected('host names without ports, separated by commas, such as credits.example.com, or *')
  }
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
  PORT: { byDefault: '8000', read: wholeNumber(0, 65_535), meaning: 'Port to listen on; 0 takes a free one' },
  HOST: { byDefault: '127.0.0.1', read: hostName, meaning: 'Address to listen on' },
  UPSTREAM_URL: {
    byDefault: '',
    read: httpUrl,
    meaning:
      'Base URL of the Copilot service; without it the ledger is answered, or the bundled sample while that is empty',
  },
  UPSTREAM_MAX_AGE: {
    byDefault: '1s',
    read: duration('0'),
    meaning: 'How long an answer is given again before the upstream is asked; 0 asks for every request',
  },
  UPSTREAM_STALE_LIMIT: {
    byDefault: '5min',
    read: duration('0'),
    meaning: 'How old the last good answer may be that is given while the upstream fails; 0 gives none',
  },
  UPSTREAM_TIMEOUT: {
    byDefault: '10s',
    read: duration('1ms'),
    meaning: 'Time for bringing the period up to date in all, retries included',
  },
  UPSTREAM_ATTEMPT_TIMEOUT: {
    byDefault: '3s',
    read: duration('1ms'),
    meaning: 'Time for one attempt of one call, its whole answer included',
  },
  UPSTREAM_ATTEMPTS: { byDefault: '3', read: wholeNumber(1, 20), meaning: 'Attempts for each call at the most' },
  UPSTREAM_CONCURRENCY: {
    byDefault: '8',
    read: wholeNumber(1, 256),
    meaning: 'Reports that are asked for at the same time',
  },
  UPSTREAM_MAX_BYTES: { byDefault: '32MiB', read: bytes, meaning: 'Largest answer that is accepted' },
  REPORT_TTL: { byDefault: '5min', read: duration('0'), meaning: 'How long the price of a report is remembered' },
  REPORT_MISSING_TTL: {
    byDefault: '30s',
    read: duration('0'),
    meaning: 'How long it is remembered that there is no such report',
  },
  DATABASE_URL: {
    byDefault: 'sqlite:data/copilot-credits.db',
    read: databaseUrl,
    meaning: 'Where charges are kept: `sqlite:` and a file, or a `postgres://` URL',
  },
  DATABASE_POOL: {
    byDefault: '10',
    read: wholeNumber(2, 1000),
    meaning: 'Connections to PostgreSQL at the most',
  },
  AUTH: {
    byDefault: 'keys',
    read: oneOf('keys', 'none'),
    meaning: 'keys, or none: nobody is asked, because something else guards the door',
  },
  ALLOWED_HOSTS: {
    byDefault: '',
    read: hostNames,
    meaning:
      'With `AUTH=none`, and for `/metrics`: names under which the service answers, besides localhost and IP addresses; separated by commas, `*` for all',
  },
  PUBLIC_URL: {
    byDefault: '',
    read: publicUrl,
    meaning: 'URL at which browsers reach the dashboard; needed only if a proxy changes the header Host',
  },
  SESSION_LIFETIME: {
    byDefault: '12h',
    read: duration('1ms'),
    meaning: 'How long one stays signed in to the dashboard',
  },
  CONTENT_KEY: {
    byDefault: '',
    read: contentKey,
    meaning: 'Secret that digests of contents are keyed with; without it one is made and kept in the database',
  },
  TIME_ZONE: {
    byDefault: 'UTC',
    read: timeZone,
    meaning: 'IANA time zone that the organization `default` begins with',
  },
  BILLING_ANCHOR_DAY: {
    byDefault: '1',
    read: wholeNumber(1, 31),
    meaning: 'Day of the month on which its billing periods start, to begin with',
  },
  INTAKE_MAX_BYTES: { byDefault: '16MiB', read: bytes, meaning: 'Largest body of reported messages, but for NDJSON' },
  INTAKE_MAX_BATCH: {
    byDefault: '10000',
    read: wholeNumber(1, 100_000),
    meaning: 'Messages of one request at the most',
  },
  INTAKE_MAX_TEXT: { byDefault: '1MiB', read: bytes, meaning: 'Longest text of a message, in bytes of UTF-8' },
  INTAKE_MAX_AHEAD: {
    byDefault: '5min',
    read: duration('0', 5 * 60_000),
    meaning: 'How far a timestamp may be ahead of the clock; 5min at the most',
  },
  INTAKE_QUEUE: {
    byDefault: '64MiB',
    read: bytes,
    meaning:
      'Bytes of bodies that have arrived and are being taken in; a key that holds more than its share is answered 503',
  },
  LONG_READINGS: {
    byDefault: '4',
    read: wholeNumber(1, 1000),
    meaning:
      'Large answers that are made from the ledger at one time; whoever asks for another then is answered 503. With PostgreSQL at most half of DATABASE_POOL',
  },
  ANSWER_MEMORY: {
    byDefault: '128MiB',
    read: bytes,
    meaning:
      'Bytes of answers from the ledger that are in memory at one time; whoever asks for another large one then is answered 503. Half of it keeps answers for the next reader',
  },
  KEEP_ALIVE_TIMEOUT: {
    byDefault: '75s',
    read: duration('1ms'),
    meaning:
      'How long an idle connection stays open; longer than a load balancer in front keeps its own, which is 60s for most',
  },
  LOG_LEVEL: {
    byDefault: 'info',
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    meaning: 'Least severe log lines that are written: fatal, error, warn, info, debug, trace or silent',
  },
  LOG_FORMAT: {
    byDefault: 'auto',
    read: oneOf('json', 'pretty', 'auto'),
    meaning: 'json, pretty, or auto: pretty on a terminal',
  },
  SHUTDOWN_TIMEOUT: {
    byDefault: '10s',
    read: duration('1ms'),
    meaning: 'How long requests in flight may take after SIGTERM or SIGINT',
  },
} as const satisfies Record<string, Setting<unknown>>
