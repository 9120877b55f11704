/** The server process: reads settings, listens, and shuts down gracefully. */
import { fileURLToPath } from 'node:url'
import { monotonicNow } from '#model/clock.ts'
import { occasionally } from '#model/occasionally.ts'
import { createService, type ServiceNeeds } from './compose/service.ts'
import { type Config, type Environment, InvalidConfig, readConfig } from './config.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { createApp } from './http/app.ts'
import { createMetrics } from './http/metrics.ts'
import { createMigrationServer } from './http/migration-server.ts'
import { renderUsage, renderUsagePages } from './http/usage-body.ts'
import {
  createLog,
  type Log,
  loggedNotListed,
  loggedObserver,
  loggedRecording,
  loggedRepricing,
  loggedStore,
  loggedUnpriced,
} from './log.ts'

const DASHBOARD_FOLDER = fileURLToPath(new URL('../dashboard/dist', import.meta.url))

/** The service and its HTTP application, put together and not yet listening. */
export const openApp = async (
  config: Config,
  { logger, answered }: Pick<Log, 'logger' | 'answered'>,
  observeMigration: ServiceNeeds<unknown>['observeMigration'] = () => {},
) => {
  const metrics = createMetrics()
  const clock = () => Date.now()
  const service = await createService({
    config,
    render: renderUsage,
    renderPages: renderUsagePages,
    sizeOf: (usage) => usage.bytesHeld(),
    observer: loggedObserver(metrics.observer, logger),
    observeCall: metrics.observeCall,
    observeIntake: metrics.observeIntake,
    observeUnpriced: loggedUnpriced(metrics.observeUnpriced, logger),
    observeRepricing: loggedRepricing(metrics.observeRepricing, logger),
    observeRecording: loggedRecording(metrics.observeRecording, logger),
    observeNotListed: loggedNotListed(metrics.observeNotListed, logger),
    observeRenderings: metrics.observeRenderings,
    observeStore: loggedStore(metrics.observeStore, logger),
    observeMigration,
    isLoopback: isLoopback(config.host),
    clock,
    now: monotonicNow,
  })
  try {
    const app = await createApp({
      ...service,
      dashboardFolder: DASHBOARD_FOLDER,
      metrics,
      logger,
      answered,
      now: monotonicNow,
      clock,
      publicUrl: config.publicUrl,
      keepAliveTimeoutMs: config.keepAliveTimeoutMs,
      waitMaxMs: config.upstreamTimeoutMs,
      sessions: { secret: service.sessionSecret, lifetimeMs: config.sessionLifetimeMs },
      intakeLimits: {
        bodyBytesMax: config.intakeBodyBytesMax,
        batchMax: config.intakeBatchMax,
        textBytesMax: config.intakeTextBytesMax,
        queueBytesMax: config.intakeQueueBytesMax,
      },
      litellm: { members: config.litellmMembers, teams: config.litellmTeams },
      otlp: { members: config.otlpMembers, teams: config.otlpTeams, cachedApart: config.otlpCachedApart },
    })
    return { app, service, metrics }
  } catch (error) {
    await service.close()
    throw error
  }
}

/** Serves until a signal arrives, then resolves to the exit code. */
export const runServer = async (environment: Environment): Promise<number> => {
  const config = readConfig(environment)
  const log = createLog(config)
  const { logger, flush } = log
  // Migrating a large database takes minutes, in which load balancers and clients must be told.
  const migrating = createMigrationServer(config)
  const logMigration = occasionally(MIGRATION_LOGGED_EVERY_MS, (progress: string) => logger.info(progress))
  const { app, service } = await openApp(config, log, (progress) => {
    migrating.tell(progress)
    logMigration(progress)
  }).finally(migrating.close)
  const isGuarded = config.auth === 'none' || isLoopback(config.host) || (await service.hasKey())
  if (!isGuarded) {
    await Promise.allSettled([app.close(), service.close()])
    throw new InvalidConfig(
      `HOST=${config.host} makes the service reachable from other machines, but there is no API key yet. Create one with ` +
        '"npx copilot-credits keys create --scope admin", or set AUTH=none if something else controls access',
    )
  }

  // Handles signals before listening, so that a signal that arrives as soon as the port is open does not kill the process.
  const hasNpm = environment['npm_lifecycle_event'] !== undefined
  const firstSignal = Promise.race([nextSignal(), ...(hasNpm ? [endOfParent()] : [])])
  const describe = (address: string) =>
    `serving on ${address} (dashboard at /, usage at /usage, API documentation at /docs)`
  try {
    await app.listen({ port: config.port, host: config.host, listenTextResolver: describe })
  } catch (error) {
    logger.fatal(`cannot listen on ${config.host}:${config.port}: ${error instanceof Error ? error.message : error}`)
    await Promise.allSettled([app.close(), service.close()])
    flush()
    return EXIT_CODES.failed
  }
  if (await service.isSample())
    logger.warn(
      'serving the bundled sample period; report messages to /v1/messages or set UPSTREAM_URL to serve your own',
    )
  if (config.auth === 'none') {
    logger.warn({ host: config.host }, 'AUTH=none: anyone who can reach the service can read and write everything')
  }

  const signal = await firstSignal
  logger.info({ signal }, 'shutting down: finishing in-flight requests; send a second signal to stop now')
  nextSignal().then((second) => {
    logger.warn({ signal: second }, 'stopping now, without finishing in-flight requests')
    flush()
    process.exit(EXIT_CODES.failed)
  })
  const closed = app.close().then(service.close)
  const isClosed = await Promise.race([closed.then(() => true), timeIsUp(config.shutdownTimeoutMs)])
  if (!isClosed)
    logger.error(
      { timeoutMs: config.shutdownTimeoutMs },
      'stopped with requests in flight: they did not finish within SHUTDOWN_TIMEOUT',
    )
  flush()
  return isClosed ? EXIT_CODES.ok : EXIT_CODES.failed
}

const MIGRATION_LOGGED_EVERY_MS = 10_000

const nextSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    const done = (signal: NodeJS.Signals): void => {
      process.off('SIGTERM', done)
      process.off('SIGINT', done)
      resolve(signal)
    }
    process.on('SIGTERM', done)
    process.on('SIGINT', done)
  })

/**
 * Resolves when npm's shell has ended. A signal to `npm start` ends that shell, but many shells do not pass it on, and this
 * process would keep the port. Waits one interval more, so that a signal sent to the whole process group is handled first.
 */
const endOfParent = (): Promise<'end of npm'> =>
  new Promise((resolve) => {
    const parent = process.ppid
    const timer = setInterval(() => {
      if (isAlive(parent)) return
      clearInterval(timer)
      setTimeout(() => resolve('end of npm'), PARENT_CHECK_MS)
    }, PARENT_CHECK_MS).unref()
  })

const PARENT_CHECK_MS = 250

const isAlive = (parent: number): boolean => {
  try {
    // On Windows, ppid does not change when the parent ends.
    return process.ppid === parent && process.kill(parent, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

const timeIsUp = (ms: number): Promise<false> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(false), ms).unref()
  })

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)
