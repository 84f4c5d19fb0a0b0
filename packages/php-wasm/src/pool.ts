// The instances of a process: requests wait for a free one, and instances are renewed.
import type { Code } from './builds.ts'
import { Instance, type RequestEnd } from './instance.ts'

/** Bytes of PHP's memory beyond which an instance is renewed after its request. */
const MEMORY_LIMIT = 134_217_728
/** Exit status of PHP after a fatal error. */
const FATAL = 255

/** What the instances of a process are made of. */
export interface PoolSettings {
  readonly directory: string
  readonly code: Code
  /** Where compiled scripts are kept. */
  readonly cacheDirectory: string
  /** Content of php.ini. */
  readonly ini: string
  /** Number of instances, and so of requests at a time. */
  readonly instances: number
  /** Requests after which an instance is renewed. */
  readonly maxRequests: number
}

/** A place for an instance; undefined while there is none yet. */
interface Place {
  instance: Promise<Instance> | undefined
}

/** Runs each request in a free instance. */
export class InstancePool {
  readonly #settings: PoolSettings
  readonly #free: Place[]
  readonly #all: readonly Place[]
  readonly #waiting: Array<(place: Place) => void> = []

  constructor(settings: PoolSettings) {
    this.#settings = settings
    this.#all = Array.from({ length: settings.instances }, () => ({ instance: undefined }))
    this.#free = [...this.#all]
  }

  /** Starts all instances. @throws Error if PHP does not start. */
  async start(): Promise<void> {
    await Promise.all(this.#all.map((place) => this.#instanceOf(place, this.#settings.ini)))
  }

  /**
   * Calls `run` with a free instance that has this php.ini, when its turn has come.
   * @throws what `run` throws; the instance is renewed then.
   */
  async use(ini: string, run: (instance: Instance) => Promise<RequestEnd>): Promise<void> {
    const place = this.#free.pop() ?? (await this.#nextFree())
    try {
      const instance = await this.#instanceOf(place, ini)
      if (this.#isSpent(instance, await run(instance))) this.#renew(place, ini)
    } catch (error) {
      this.#renew(place, ini)
      throw error
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(place)
      else next(place)
    }
  }

  /** Ends all instances, whatever they do. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map(stop))
  }

  #nextFree(): Promise<Place> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #instanceOf(place: Place, ini: string): Promise<Instance> {
    const present = await place.instance?.catch(() => undefined)
    if (present?.ini === ini) return present
    return this.#renew(place, ini)
  }

  #renew(place: Place, ini: string): Promise<Instance> {
    void stop(place)
    const { directory, code, cacheDirectory } = this.#settings
    place.instance = Instance.start({ directory, code, cacheDirectory, ini })
    // Whoever uses it is told.
    place.instance.catch(() => {})
    return place.instance
  }

  #isSpent(instance: Instance, { exitStatus, memory }: RequestEnd): boolean {
    const { maxRequests } = this.#settings
    return exitStatus === FATAL || memory > MEMORY_LIMIT || instance.requests >= maxRequests
  }
}

async function stop({ instance }: Place): Promise<void> {
  const present = await instance?.catch(() => undefined)
  await present?.stop()
}
