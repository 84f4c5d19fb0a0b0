// What `fastcgi serve` runs: PHP and the workers, which follow the settings.
import { systemCode } from '@fastcgi/client/internal'
import type { Logger } from 'pino'
import { choosePort } from '../http/port.ts'
import type { ListenTarget } from '../http/server.ts'
import type { Settings } from '../settings/settings.ts'
import type { WorkerStart } from './messages.ts'
import { type RunningPhp, startPhp } from './php.ts'
import { WorkerGroup } from './worker-group.ts'

/** PHP and the workers. */
export class RunningSite {
  readonly #logger: Logger
  readonly #workers: WorkerGroup
  readonly #socket: { fd: number } | undefined
  #target: ListenTarget | undefined
  #settings: Settings | undefined
  #php: RunningPhp | undefined
  #reloading: Promise<void> = Promise.resolve()

  /** @param socket a listening socket that this process has inherited. */
  constructor(logger: Logger, socket: { fd: number } | undefined) {
    this.#logger = logger
    this.#socket = socket
    this.#workers = new WorkerGroup(logger, () => this.#php?.status())
  }

  /** What the requests go to, for people. */
  get through(): string {
    const upstream = this.#settings?.gateway.upstream
    if (this.#php !== undefined) return this.#php.title
    const names = [upstream].flat().map((one) => (typeof one === 'string' ? one : 'its upstream'))
    return names.join(', ')
  }

  /** Resolves with the URL when all workers listen. @throws an error that says what to do; nothing runs then. */
  async start(settings: Settings): Promise<string> {
    this.#settings = settings
    try {
      this.#target = await this.#chooseTarget(settings)
      const php = this.#startPhp(settings)
      for (;;) {
        try {
          // The workers are loaded while PHP starts.
          return await this.#workers.start(
            settings.workers,
            php.then(() => this.#workerStart()),
          )
        } catch (error) {
          // Somebody else was faster.
          if (!settings.listen.search || systemCode(error) !== 'EADDRINUSE') throw error
          this.#target = await this.#chooseTarget(settings)
        }
      }
    } catch (error) {
      await this.end()
      throw error
    }
  }

  async #chooseTarget({ listen }: Settings): Promise<ListenTarget> {
    const { host, port } = listen
    if (this.#socket !== undefined) return this.#socket
    // Port 0 stands for the same free port in all workers.
    return { host, port: port === 0 ? 0 : await choosePort(listen) }
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
    if (!isSamePhp) await this.#startPhp(settings)
    try {
      await this.#workers.replace(settings.workers, this.#workerStart())
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

  async #startPhp(settings: Settings): Promise<void> {
    this.#php = await phpFor(settings, this.#logger)
  }

  #workerStart(): WorkerStart {
    const target = this.#target ?? { host: '127.0.0.1', port: 0 }
    return { target, php: this.#php?.addresses }
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
