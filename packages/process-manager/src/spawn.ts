// What spawn-fcgi does: a socket, programs that inherit it, and no web server.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseAddress } from '@fastcgi/client'
import { openSocket, openWatchedSocket, type SocketSettings } from './sockets/socket-place.ts'
import { Child, type OutputStream } from './spawning/child.ts'
import { describeExit, type Exit } from './spawning/exit-reason.ts'
import { type Launch, resolveLaunch, type SpawnOptions } from './spawning/spawn-options.ts'
import { StartThrottle } from './supervision/start-throttle.ts'

/** Milliseconds in which a program that cannot run shows it. */
const FIRST_MOMENT = 100
/** Milliseconds a program may take to end when told. */
const KILL_TIMEOUT = 5000
/** A program that lives for less, in milliseconds, has failed to start. */
const SHORT_LIFE = 1000

/** Programs that share one listening socket. */
export interface SharedSpawnOptions extends SpawnOptions {
  /** `'unix:/run/app.sock'` or `'127.0.0.1:9000'`: the address itself, nothing is appended. */
  listen: string
  socket: SocketSettings
  /** How many. */
  forks: number
}

/** One program that was started. */
export interface Spawned {
  readonly pid: number | undefined
  /** Set when it ended within its first moment. */
  readonly exit: Exit | undefined
  /** How, in words. */
  readonly reason: string | undefined
}

/**
 * Starts programs that go on when this process ends, without output, and looks at them for a moment. The socket is
 * removed where none of them runs. @throws OptionError, FastCGIError
 */
export async function spawnDetached(options: SharedSpawnOptions): Promise<Spawned[]> {
  const launch = resolveLaunch(options)
  const socket = await openSocket(parseAddress(options.listen), options.socket)
  const children = Array.from({ length: options.forks }, () => startDetached(launch, socket.fd))
  const spawned = await Promise.all(children.map((child) => firstMoment(child, launch)))
  if (spawned.every(({ exit }) => exit !== undefined)) await socket.close()
  return spawned
}

function startDetached(launch: Launch, fd: number): ChildProcess {
  const { file, args, cwd, env } = launch
  const child = spawn(file, args, { cwd, env, detached: true, stdio: [fd, 'ignore', 'ignore'] })
  child.unref()
  return child
}

async function firstMoment(child: ChildProcess, launch: Launch): Promise<Spawned> {
  const ended = Promise.race([
    once(child, 'exit').then(([code, signal]): Exit => ({ code, signal })),
    once(child, 'error').then(([error]): Exit => ({ code: null, signal: null, error })),
  ]).catch((error): Exit => ({ code: null, signal: null, error }))
  const moment = new Promise<undefined>((resolve) => setTimeout(resolve, FIRST_MOMENT, undefined))
  const exit = await Promise.race([ended, moment])
  const reason = exit && describeExit(exit, { ...launch, served: 0 })
  return { pid: child.pid, exit, reason }
}

/** What {@link runForeground} tells. */
export interface ForegroundEvents {
  onLine(stream: OutputStream, line: string): void
  onStarted(pid: number): void
  /** @param next milliseconds until it is started again; undefined when it is not. */
  onExit(pid: number | undefined, reason: string, next: number | undefined): void
}

/** Programs in the foreground. */
export interface Foreground {
  /** How the last one ended. */
  readonly ended: Promise<Exit>
  /** Passes a signal on; with one that ends them, nothing is started again. */
  signal(name: NodeJS.Signals): void
  /** Asks them to end, and kills them when they do not. */
  stop(): void
}

/** Runs programs until they end, or, with `supervise`, until told, starting them again. Nothing of them outlives this process. */
export async function runForeground(
  options: SharedSpawnOptions & { supervise: boolean },
  events: ForegroundEvents,
): Promise<Foreground> {
  const launch = resolveLaunch(options)
  const address = parseAddress(options.listen)
  const socket = await openWatchedSocket(address, options.socket)
  const runs = Array.from(
    { length: options.forks },
    () => new Run(launch, socket.fd, options.supervise, events),
  )
  // Neither a child nor its output keeps a process alive that uses them for something else; this one has nothing else.
  const hold = setInterval(() => {}, 60_000)
  const ended = Promise.all(runs.map((run) => run.ended)).then(async (exits) => {
    clearInterval(hold)
    await socket.close()
    return exits.at(-1) as Exit
  })
  return {
    ended,
    signal: (name) => {
      for (const run of runs) run.child?.signal(name)
    },
    stop: () => {
      for (const run of runs) run.stop()
    },
  }
}

/** One place in the row, and who is in it. */
class Run {
  child: Child | undefined
  readonly ended: Promise<Exit>
  readonly #launch: Launch
  readonly #socket: number
  readonly #supervise: boolean
  readonly #events: ForegroundEvents
  readonly #gate = new StartThrottle({
    initStartDelay: 0,
    restartDelay: 1000,
    maxRestartDelay: 60_000,
  })
  #stopping = false
  #wake: (() => void) | undefined

  constructor(launch: Launch, socket: number, supervise: boolean, events: ForegroundEvents) {
    this.#launch = launch
    this.#socket = socket
    this.#supervise = supervise
    this.#events = events
    this.ended = this.#run()
  }

  stop(): void {
    this.#stopping = true
    this.#wake?.()
    void this.child?.stop('SIGTERM', KILL_TIMEOUT)
  }

  async #run(): Promise<Exit> {
    for (;;) {
      const begun = performance.now()
      const exit = await this.#once()
      const now = performance.now()
      if (now - begun < SHORT_LIFE) this.#gate.failed(now)
      else this.#gate.succeeded()
      const again = this.#supervise && !this.#stopping
      const pause = this.#gate.wait(now)
      const reason = describeExit(exit, { ...this.#launch, served: 1 })
      this.#events.onExit(this.child?.pid, reason, again ? pause : undefined)
      if (!again) return exit
      await this.#sleep(pause)
      if (this.#stopping) return exit
    }
  }

  async #once(): Promise<Exit> {
    const child = new Child(
      { ...this.#launch, socketAt: 0, files: {} },
      this.#socket,
      (stream, line) => this.#events.onLine(stream, line),
    )
    this.child = child
    if (child.pid !== undefined) this.#events.onStarted(child.pid)
    const exit = await child.exited
    await child.silent
    return exit
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
