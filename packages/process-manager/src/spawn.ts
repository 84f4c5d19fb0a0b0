// Starts programs on one listening socket, as spawn-fcgi does, for a web server to connect to.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseAddress } from '@fastcgi/client'
import { openSocket, openWatchedSocket, type SocketSettings } from './sockets/listen-sockets.ts'
import { Child, type OutputStream } from './spawning/child.ts'
import { describeExit, type Exit, wasKilled } from './spawning/exit-reason.ts'
import { type Launch, resolveLaunch, type SpawnOptions } from './spawning/spawn-options.ts'
import { StartThrottle } from './supervision/start-throttle.ts'

/** Milliseconds after the start within which an exit counts as a failed start (spawn-fcgi waits 100 as well). */
const STARTUP_WAIT = 100
/** Milliseconds from SIGTERM to SIGKILL. */
const KILL_TIMEOUT = 5000
/** A program that exits sooner than this, in milliseconds, counts as a failed start. */
const MIN_LIFETIME = 1000

/** Options of programs that share one listening socket. */
export interface SharedSpawnOptions extends SpawnOptions {
  /** Address of the socket: `'unix:/run/app.sock'` or `'127.0.0.1:9000'`. */
  listen: string
  socket: SocketSettings
  /** Number of programs (spawn-fcgi `-F`). */
  forks: number
}

/** Result of starting one program. */
export interface Spawned {
  /** Process id; undefined if it could not be started. */
  readonly pid: number | undefined
  /** How it ended; undefined if it was still running after 100 ms. */
  readonly exit: Exit | undefined
  /** Description of `exit`. */
  readonly reason: string | undefined
}

/**
 * Starts programs that outlive this process; their output is discarded. Resolves after 100 ms, or when all have exited. If
 * none of them runs then, the socket is removed. @throws OptionError for an invalid option; FastCGIError `FCGI_LISTEN`
 * @example
 * ```js
 * import { spawnDetached } from '@fastcgi/process-manager'
 *
 * const [php] = await spawnDetached({
 *   command: ['php-cgi'],
 *   listen: '127.0.0.1:9123',
 *   socket: { backlog: 511, mode: 0o600 },
 *   forks: 1,
 * })
 * if (php?.exit === undefined) process.kill(php.pid)
 * ```
 */
export async function spawnDetached(options: SharedSpawnOptions): Promise<Spawned[]> {
  const launch = resolveLaunch(options)
  const socket = await openSocket(parseAddress(options.listen), options.socket)
  const children = Array.from({ length: options.forks }, () => startDetached(launch, socket.fd))
  const spawned = await Promise.all(children.map((child) => watchStartup(child, launch)))
  if (spawned.every(({ exit }) => exit !== undefined)) await socket.close()
  return spawned
}

/** Node reports a failure by throwing or by an 'error' event; this returns the thrown one. */
function startDetached(launch: Launch, fd: number): ChildProcess | Error {
  const { file, args, cwd, env } = launch
  try {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: [fd, 'ignore', 'ignore'] })
    child.unref()
    return child
  } catch (error) {
    return error as Error
  }
}

async function watchStartup(child: ChildProcess | Error, launch: Launch): Promise<Spawned> {
  if (child instanceof Error) {
    const exit: Exit = { code: null, signal: null, error: child }
    return { pid: undefined, exit, reason: describeExit(exit, { ...launch, served: 0 }) }
  }
  const ended = Promise.race([
    once(child, 'exit').then(([code, signal]): Exit => ({ code, signal })),
    once(child, 'error').then(([error]): Exit => ({ code: null, signal: null, error })),
  ]).catch((error): Exit => ({ code: null, signal: null, error }))
  const moment = new Promise<undefined>((resolve) => setTimeout(resolve, STARTUP_WAIT, undefined))
  const exit = await Promise.race([ended, moment])
  const reason = exit && describeExit(exit, { ...launch, served: 0 })
  return { pid: child.pid, exit, reason }
}

/** Callbacks of {@link runForeground}. */
export interface ForegroundEvents {
  /** A program wrote a line. */
  onLine(stream: OutputStream, line: string): void
  /** A program was started. */
  onStarted(pid: number): void
  /**
   * A program exited.
   * @param next milliseconds until it is started again; undefined if it is not.
   */
  onExit(pid: number | undefined, reason: string, next: number | undefined): void
}

/** Programs that run in the foreground. */
export interface Foreground {
  /** Resolves with the exit of the last of them when all have ended. */
  readonly ended: Promise<Exit>
  /** Forwards a signal to all programs. */
  signal(name: NodeJS.Signals): void
  /** Ends all programs with SIGTERM, after 5 seconds with SIGKILL, and starts none again. */
  stop(): void
}

/**
 * Runs programs until they exit; with `supervise`, starts each again when it exits, until stop() is called. Neither the
 * programs nor the socket outlive this process. @throws OptionError for an invalid option; FastCGIError `FCGI_LISTEN`
 * @example
 * ```js
 * import { runForeground } from '@fastcgi/process-manager'
 *
 * const socket = { backlog: 511, mode: 0o600 }
 * const options = { command: ['php-cgi'], listen: '127.0.0.1:9124', socket, forks: 1 }
 * const php = await runForeground(
 *   { ...options, supervise: true },
 *   { onLine: console.log, onStarted: () => {}, onExit: () => {} },
 * )
 * php.stop()
 * await php.ended
 * ```
 */
export async function runForeground(
  options: SharedSpawnOptions & { supervise: boolean },
  events: ForegroundEvents,
): Promise<Foreground> {
  const launch = resolveLaunch(options)
  const address = parseAddress(options.listen)
  const socket = await openWatchedSocket(address, options.socket)
  const programs = Array.from(
    { length: options.forks },
    () => new SupervisedProgram(launch, socket.fd, options.supervise, events),
  )
  // Children and their pipes are unref'ed, so nothing else keeps the event loop alive until the programs have ended.
  const keepAlive = setInterval(() => {}, 60_000)
  const ended = Promise.all(programs.map((program) => program.ended)).then(async (exits) => {
    clearInterval(keepAlive)
    await socket.close()
    return exits.at(-1) as Exit
  })
  return {
    ended,
    signal: (name) => {
      for (const program of programs) program.child?.signal(name)
    },
    stop: () => {
      for (const program of programs) program.stop()
    },
  }
}

/** One of the programs: a child, and with `supervise` its successors. */
class SupervisedProgram {
  child: Child | undefined
  readonly ended: Promise<Exit>
  readonly #launch: Launch
  readonly #socket: number
  readonly #supervise: boolean
  readonly #events: ForegroundEvents
  readonly #throttle = new StartThrottle({
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
    if (this.child === undefined) return
    this.child.endsDescendants = true
    void this.child.stop('SIGTERM', KILL_TIMEOUT)
  }

  async #run(): Promise<Exit> {
    for (;;) {
      const begun = performance.now()
      const exit = await this.#runOnce()
      const now = performance.now()
      if (now - begun < MIN_LIFETIME)
        this.#throttle.failed(now, { startedAt: begun, killed: wasKilled(exit) })
      else this.#throttle.succeeded()
      const again = this.#supervise && !this.#stopping
      const pause = this.#throttle.wait(now)
      const reason = describeExit(exit, { ...this.#launch, served: 1 })
      this.#events.onExit(this.child?.pid, reason, again ? pause : undefined)
      if (!again) return exit
      await this.#sleep(pause)
      if (this.#stopping) return exit
    }
  }

  async #runOnce(): Promise<Exit> {
    const child = new Child({ ...this.#launch, socketAt: 0, files: {} }, this.#socket, {
      onLine: (stream, line) => this.#events.onLine(stream, line),
    })
    this.child = child
    if (child.pid !== undefined) this.#events.onStarted(child.pid)
    const exit = await child.exited
    await child.outputEnded
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
