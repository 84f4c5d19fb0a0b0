// A worker of `fastcgi serve`: one of the Node processes that share the port.
import { Monitor, type StatusSnapshot, withProcesses } from '@fastcgi/gateway/internal'
import { loadAdapter } from '../http/adapters.ts'
import { type RunningServer, startServer } from '../http/server.ts'
import { createLogger } from '../output/logger.ts'
import type { Settings } from '../settings/settings.ts'
import type { ToPrimary, ToWorker, WorkerStart } from './messages.ts'

/** Serves until the primary says that it is over. @param load loads the settings. */
export function runWorker(load: () => Promise<Settings>): void {
  // The primary decides what a signal means; a terminal sends it to all processes.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {})
  process.once('disconnect', () => process.exit(1))
  const worker = new Worker(load)
  process.on('message', (message: ToWorker) => worker.receive(message))
  send({ type: 'receives' })
}

type Snapshots = readonly [StatusSnapshot, ...StatusSnapshot[]]

class Worker {
  readonly #settings: Promise<Settings>
  // Before the monitor, which looks at it at once.
  #server: RunningServer | undefined
  readonly #monitor = new Monitor({
    dispatchers: () => this.#server?.site.dispatchers() ?? {},
    caches: () => this.#server?.site.caches() ?? {},
  })
  /** Requests for the status that wait for the snapshots of the other workers. */
  readonly #asked = new Map<number, (snapshots: Snapshots) => void>()
  #lastId = 0

  constructor(load: () => Promise<Settings>) {
    // What takes long is begun before the primary says where to listen.
    this.#settings = load()
    this.#settings.then(({ adapter }) => loadAdapter(adapter)).catch(() => {})
  }

  receive(message: ToWorker): void {
    if (message.type === 'start') void this.#start(message)
    else if (message.type === 'end') void this.#end(message.closesIdle)
    else if (message.type === 'tell')
      send({ type: 'snapshot', id: message.id, snapshot: this.#snapshot() })
    else {
      const [first, ...others] = message.snapshots
      const own = first ?? this.#snapshot()
      this.#asked.get(message.id)?.([withProcesses(own, message.processes), ...others])
      this.#asked.delete(message.id)
    }
  }

  async #start({ target, php }: WorkerStart): Promise<void> {
    try {
      const settings = withPhp(await this.#settings, php)
      const ask = (): Promise<Snapshots> => this.#ask()
      this.#server = await startServer(settings, target, createLogger(settings), ask)
      send({ type: 'ready', url: this.#server.url })
    } catch (error) {
      const { message, code } = error as { message: string; code?: string }
      send({ type: 'failed', message, code })
    }
  }

  async #end(closesIdle: boolean): Promise<void> {
    const ended = this.#server?.end(closesIdle)
    send({ type: 'closed' })
    await ended
    process.exit(0)
  }

  #snapshot(): StatusSnapshot {
    return this.#monitor.snapshot()
  }

  #ask(): Promise<Snapshots> {
    const id = ++this.#lastId
    return new Promise((resolve) => {
      this.#asked.set(id, resolve)
      send({ type: 'ask', id })
    })
  }
}

function send(message: ToPrimary): void {
  // Without the primary there is nobody to tell; this process then ends.
  process.send?.(message, undefined, undefined, () => {})
}

/** The settings with the PHP that the primary has started as upstream. */
function withPhp(settings: Settings, php: readonly string[] | undefined): Settings {
  if (php === undefined) return settings
  const [only, ...others] = php
  const upstream = others.length === 0 ? only : [...php]
  return { ...settings, gateway: { ...settings.gateway, upstream } }
}
