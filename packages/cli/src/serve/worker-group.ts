// The workers of `fastcgi serve`, as the primary process sees them: forks them, replaces those that die, ends them.
import cluster, { type Worker } from 'node:cluster'
import { OptionError } from '@fastcgi/client'
import type { ProcessStatus, StatusSnapshot } from '@fastcgi/gateway/internal'
import type { Logger } from 'pino'
import type { ToPrimary, ToWorker, WorkerStart } from './messages.ts'

/** A worker that dies sooner than this, in milliseconds, is replaced only after the same time. */
const SHORT_LIFE = 1000
/** Milliseconds that workers have for their snapshots. */
const SNAPSHOT_TIME = 2000
/** Milliseconds after the time `grace` until a worker is killed. */
const KILL_DELAY = 2000

interface Member {
  readonly worker: Worker
  readonly exited: Promise<void>
  /** Resolves when it accepts no more connections. */
  readonly closed: Promise<void>
  /** Resolves with the URL when it listens; fails if it cannot. */
  readonly ready: Promise<string>
  listens: boolean
  ending: boolean
}

/** Snapshots that are being collected for a worker. */
interface Collection {
  readonly snapshots: StatusSnapshot[]
  left: number
  readonly finish: () => void
}

/** The workers: all serve the same port with the same settings. */
export class WorkerGroup {
  readonly #logger: Logger
  readonly #processes: () => ProcessStatus | undefined
  readonly #collections = new Map<number, Collection>()
  #members = new Set<Member>()
  #start: Promise<WorkerStart> | undefined
  #ending = false
  #lastId = 0

  /** @param processes returns those of the PHP that this process has started. */
  constructor(logger: Logger, processes: () => ProcessStatus | undefined) {
    this.#logger = logger
    this.#processes = processes
    // The workers accept connections themselves. With round robin, a connection on its way to a worker that is killed
    // hangs for ever.
    cluster.schedulingPolicy = cluster.SCHED_NONE
  }

  /**
   * Starts `count` workers; resolves with their URL when all listen.
   * @param start what they are told, once it is known. @throws what the first one that fails says.
   */
  async start(count: number, start: Promise<WorkerStart>): Promise<string> {
    this.#start = start
    const members = Array.from({ length: count }, () => this.#fork(start))
    try {
      await start
      const [url = ''] = await Promise.all(members.map(({ ready }) => ready))
      return url
    } catch (error) {
      for (const member of members) this.#end(member, true)
      await Promise.all(members.map(({ exited }) => exited))
      throw error
    }
  }

  /**
   * Replaces all workers by `count` new ones, one by one: a new worker listens before an old one ends. @throws what a new
   * worker says that fails; the workers that are left then go on.
   */
  async replace(count: number, told: WorkerStart): Promise<void> {
    const old = [...this.#members].filter(({ ending }) => !ending)
    const start = Promise.resolve(told)
    for (let at = 0; at < Math.max(count, old.length); at++) {
      if (at < count) await this.#fork(start).ready
      const replaced = old[at]
      if (replaced === undefined) continue
      this.#end(replaced, false)
      await replaced.closed
    }
    this.#start = start
  }

  /** Ends all workers after their running requests. @param grace milliseconds until they are killed; 0: never. */
  async end(grace: number): Promise<void> {
    this.#ending = true
    for (const member of this.#members) this.#end(member, true)
    const kill = (): void => {
      for (const { worker } of this.#members) worker.process.kill('SIGKILL')
    }
    const timer = grace === 0 ? undefined : setTimeout(kill, grace + KILL_DELAY)
    await Promise.all([...this.#members].map(({ exited }) => exited))
    clearTimeout(timer)
  }

  #fork(start: Promise<WorkerStart>): Member {
    const worker = cluster.fork()
    const born = performance.now()
    const { promise: ready, resolve, reject } = deferred<string>()
    const exited = new Promise<void>((ended) => worker.once('exit', () => ended()))
    const closing = deferred<void>()
    const closed = Promise.race([closing.promise, exited])
    const member: Member = { worker, exited, closed, ready, listens: false, ending: false }
    this.#members.add(member)
    worker.on('message', (message: ToPrimary) => {
      if (message.type === 'receives')
        start.then((what) => tell(member, { type: 'start', ...what }), reject)
      else if (message.type === 'ready') {
        member.listens = true
        resolve(message.url)
      } else if (message.type === 'failed') {
        member.ending = true
        worker.process.kill('SIGKILL')
        reject(errorOf(message))
      } else if (message.type === 'closed') closing.resolve()
      else if (message.type === 'ask') this.#collect(member, message.id)
      else this.#collected(message.id, message.snapshot)
    })
    worker.once('exit', (code: number | null, signal: string | null) => {
      this.#members.delete(member)
      const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`
      reject(new Error(`a worker ${how} before it listened`))
      if (!member.listens || member.ending || this.#ending) return
      this.#logger.error({}, `worker ${worker.process.pid} ${how}; another one takes its place`)
      this.#replaceDead(performance.now() - born)
    })
    return member
  }

  #replaceDead(lifetime: number): void {
    const fork = (): void => {
      if (this.#ending || this.#start === undefined) return
      this.#fork(this.#start).ready.catch((error: Error) => {
        if (this.#ending) return
        this.#logger.error({}, `the worker in its place does not start: ${error.message}`)
        if (this.#members.size > 0) setTimeout(fork, SHORT_LIFE)
        else process.exit(1)
      })
    }
    if (lifetime < SHORT_LIFE) setTimeout(fork, SHORT_LIFE)
    else fork()
  }

  #end(member: Member, closesIdle: boolean): void {
    member.ending = true
    if (member.listens) tell(member, { type: 'end', closesIdle })
    else member.worker.process.kill('SIGKILL')
  }

  // ---- snapshots for the status page

  #collect(asking: Member, askedId: number): void {
    const id = ++this.#lastId
    const asked = [...this.#members].filter(({ ending }) => !ending)
    const finish = (): void => {
      clearTimeout(timer)
      this.#collections.delete(id)
      const { snapshots } = collection
      tell(asking, { type: 'told', id: askedId, snapshots, processes: this.#processes() })
    }
    const collection: Collection = { snapshots: [], left: asked.length, finish }
    const timer = setTimeout(finish, SNAPSHOT_TIME)
    this.#collections.set(id, collection)
    for (const member of asked) tell(member, { type: 'tell', id })
  }

  #collected(id: number, snapshot: StatusSnapshot): void {
    const collection = this.#collections.get(id)
    if (collection === undefined) return
    collection.snapshots.push(snapshot)
    if (--collection.left === 0) collection.finish()
  }
}

function errorOf({ message, code }: { message: string; code: string | undefined }): Error {
  return code === 'FCGI_OPTION'
    ? new OptionError(message)
    : Object.assign(new Error(message), { code })
}

/** A worker that has just died cannot be told anything; its exit follows. */
function tell({ worker }: Member, message: ToWorker): void {
  worker.send(message, () => {})
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  // Who waits for it is told; nobody has to.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
