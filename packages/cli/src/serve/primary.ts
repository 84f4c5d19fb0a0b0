// The primary process of `fastcgi serve`: starts PHP and the workers, and follows signals.
import type { Logger } from 'pino'
import { choosePort } from '../http/port.ts'
import { createLogger } from '../output/logger.ts'
import type { Settings } from '../settings/settings.ts'
import type { WorkerStart } from './messages.ts'
import { type RunningPhp, startPhp } from './php.ts'
import { reportSilence } from './silence.ts'
import { inheritedSocket, notifySystemd } from './systemd.ts'
import { WorkerGroup } from './worker-group.ts'

/** Runs until SIGTERM or SIGINT, and the running requests after it. @param load loads the settings. */
export async function runPrimary(load: () => Promise<Settings>): Promise<void> {
  const socket = inheritedSocket(process.env)
  const settings = await load()
  const logger = createLogger(settings)
  for (const warning of settings.warnings) logger.warn({}, warning)
  const target = socket ?? { host: settings.listen.host, port: await choosePort(settings.listen) }
  // Before the line that says it is ready: a program that waits for that line may send a signal immediately.
  const stopped = stopSignal()
  const site = new RunningSite(logger, target)
  const url = await Promise.race([site.start(settings), stopped])
  if (url === undefined) {
    await site.end()
    return
  }
  console.log(`fastcgi: ${url}/ serves ${siteLine(settings)} through ${site.through}`)
  process.on('SIGHUP', () => void site.reload(load))
  await notifySystemd('READY=1')
  reportSilence(settings, logger)
  await stopped
  logger.info({}, 'ending after the running requests; a second signal ends at once')
  await Promise.all([notifySystemd('STOPPING=1'), site.end()])
  logger.info({}, 'ended')
}

/** PHP and the workers. */
class RunningSite {
  readonly #logger: Logger
  readonly #workers: WorkerGroup
  readonly #target: { host: string; port: number } | { fd: number }
  #settings: Settings | undefined
  #php: RunningPhp | undefined
  #reloading: Promise<void> = Promise.resolve()

  constructor(logger: Logger, target: { host: string; port: number } | { fd: number }) {
    this.#logger = logger
    this.#target = target
    this.#workers = new WorkerGroup(logger)
  }

  /** What the requests go to, for people. */
  get through(): string {
    const upstream = this.#settings?.gateway.upstream
    if (this.#php !== undefined) return this.#php.title
    const names = [upstream].flat().map((one) => (typeof one === 'string' ? one : 'its upstream'))
    return names.join(', ')
  }

  async start(settings: Settings): Promise<string> {
    this.#settings = settings
    try {
      // The workers are loaded while PHP starts.
      return await this.#workers.start(settings.workers, this.#startPhp(settings))
    } catch (error) {
      await this.end()
      throw error
    }
  }

  /** Takes over new settings without losing a request. If they are wrong, everything stays as it is. */
  reload(load: () => Promise<Settings>): Promise<void> {
    this.#reloading = this.#reloading.then(async () => {
      try {
        await this.#takeOver(await load())
        this.#logger.info({}, 'reloaded')
      } catch (error) {
        this.#logger.error({}, `not reloaded, all stays as it was: ${(error as Error).message}`)
      }
    })
    return this.#reloading
  }

  async #takeOver(settings: Settings): Promise<void> {
    const before = { settings: this.#settings, php: this.#php }
    const isSamePhp = phpKey(settings) === phpKey(before.settings)
    const start = isSamePhp ? Promise.resolve(this.#workerStart()) : this.#startPhp(settings)
    try {
      await this.#workers.replace(settings.workers, start)
    } catch (error) {
      if (this.#php !== before.php) await this.#php?.close()
      this.#php = before.php
      throw error
    }
    this.#settings = settings
    // It ends when the requests of the old workers have been answered.
    if (!isSamePhp) void before.php?.close()
  }

  async end(): Promise<void> {
    await this.#reloading
    await this.#workers.end(this.#settings?.grace ?? 0)
    await this.#php?.close()
  }

  async #startPhp(settings: Settings): Promise<WorkerStart> {
    this.#php = await phpFor(settings, this.#logger)
    return this.#workerStart()
  }

  #workerStart(): WorkerStart {
    return { target: this.#target, php: this.#php?.addresses }
  }
}

async function phpFor(settings: Settings, logger: Logger): Promise<RunningPhp | undefined> {
  return settings.gateway.upstream === undefined ? startPhp(settings, logger) : undefined
}

/** What PHP was started with. */
function phpKey(settings: Settings | undefined): string | undefined {
  if (settings?.gateway.upstream !== undefined) return undefined
  return JSON.stringify([settings?.php, settings?.root])
}

function siteLine({ root, site }: Settings): string {
  return `${root} (${site.title}${site.by === undefined ? '' : `, by ${site.by}`})`
}

/** Resolves on the first SIGTERM or SIGINT. A second one then ends the process at once. */
function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop).off('SIGINT', stop)
      resolve(undefined)
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  })
}
