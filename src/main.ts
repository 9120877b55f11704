/** The server process: reads the settings, listens, and leaves in order. */
import { fileURLToPath } from 'node:url'
import { type Config, type Environment, InvalidConfig, readConfig } from './config.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { createApp } from './http/app.ts'
import { createMetrics } from './http/metrics.ts'
import { renderUsage, renderUsagePages } from './http/usage-body.ts'
import { createLog, type Log, loggedNotListed, loggedObserver, loggedRecording, loggedStore } from './log.ts'
import { createService } from './service.ts'

const DASHBOARD_FOLDER = fileURLToPath(new URL('../dashboard/dist', import.meta.url))

/** The service and its HTTP application, put together and not yet listening. */
export const openApp = async (config: Config, { logger, answered }: Pick<Log, 'logger' | 'answered'>) => {
  const metrics = createMetrics()
  const now = () => performance.now()
  const clock = () => Date.now()
  const service = await createService({
    config,
    render: renderUsage,
    renderPages: renderUsagePages,
    sizeOf: (usage) => usage.bytesHeld(),
    observer: loggedObserver(metrics.observer, logger),
    observeCall: metrics.observeCall,
    observeIntake: metrics.observeIntake,
    observeRecording: loggedRecording(metrics.observeRecording, logger),
    observeNotListed: loggedNotListed(metrics.observeNotListed, logger),
    observeAnswers: metrics.observeAnswers,
    observeStore: loggedStore(metrics.observeStore, logger),
    isLoopback: isLoopback(config.host),
    clock,
    now,
  })
  try {
    const app = await createApp({
      ...service,
      dashboardFolder: DASHBOARD_FOLDER,
      metrics,
      logger,
      answered,
      now,
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
    })
    return { app, service, metrics }
  } catch (error) {
    await service.close()
    throw error
  }
}

/** Serves until a signal comes; resolves to the exit code. */
export const runServer = async (environment: Environment): Promise<number> => {
  const config = readConfig(environment)
  const log = createLog(config)
  const { logger, flush } = log
  const { app, service } = await openApp(config, log)
  const isGuarded = config.auth === 'none' || isLoopback(config.host) || (await service.hasKey())
  if (!isGuarded) {
    await Promise.allSettled([app.close(), service.close()])
    throw new InvalidConfig(
      `HOST is ${config.host}, where others can reach it, and there is no API key yet. Make one with ` +
        '"npx copilot-credits keys create --scope admin", or set AUTH=none where something else guards the door',
    )
  }

  // From here on a signal is waited for: one that comes while the server begins to listen must not cut it off.
  const hasNpm = environment['npm_lifecycle_event'] !== undefined
  const firstSignal = Promise.race([nextSignal(), ...(hasNpm ? [endOfParent()] : [])])
  const describe = (address: string) =>
    `serving on ${address} (the dashboard at /, usage at /usage, documentation at /docs)`
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
      'answering the bundled sample period: report messages to /v1/messages, or set UPSTREAM_URL, to answer your own',
    )
  if (config.auth === 'none') {
    logger.warn({ host: config.host }, 'AUTH=none: anyone who can reach the service may read and write everything')
  }

  const signal = await firstSignal
  logger.info({ signal }, 'leaving: finishing what is in flight; a second signal leaves at once')
  nextSignal().then((second) => {
    logger.warn({ signal: second }, 'leaving at once')
    flush()
    process.exit(EXIT_CODES.failed)
  })
  const closed = app.close().then(service.close)
  const isClosed = await Promise.race([closed.then(() => true), timeIsUp(config.shutdownTimeoutMs)])
  if (!isClosed) logger.error({ timeoutMs: config.shutdownTimeoutMs }, 'left with requests in flight')
  flush()
  return isClosed ? EXIT_CODES.ok : EXIT_CODES.failed
}

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
 * A signal to `npm start` ends the shell between npm and this process, and many shells do not pass it on: without anyone left
 * to end it, the server would keep its port. A signal that was sent to all of them comes first.
 */
const endOfParent = (): Promise<'end of npm'> =>
  new Promise((resolve) => {
    const parent = process.ppid
    const timer = setInterval(() => {
      if (isAlive(parent)) return
      clearInterval(timer)
      setTimeout(() => resolve('end of npm'), PARENT_LOOKED_AFTER_EVERY_MS)
    }, PARENT_LOOKED_AFTER_EVERY_MS).unref()
  })

const PARENT_LOOKED_AFTER_EVERY_MS = 250

const isAlive = (parent: number): boolean => {
  try {
    // Windows names a parent that has ended as before.
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
