// One run of a program: start, output, signals and clean-up.
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { StderrLines } from '@fastcgi/client/internal'
import { endAcceptors } from './acceptors.ts'
import type { Exit } from './exit-reason.ts'
import { reaper } from './reaper.ts'
import { socketInode } from './socket-inode.ts'

/** Milliseconds between two kill signals. They are repeated because a program may get one before its handler is installed. */
const SIGNAL_INTERVAL = 500
/** Milliseconds to wait for the rest of the output after the exit; a descendant may keep the pipes open. */
const OUTPUT_TIMEOUT = 200

/** The program to start, and what it needs. */
export interface ChildCommand {
  /** Path of the program. */
  readonly program: string
  /** What is executed: the program, or a tool of the system that executes it in its own process. */
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** File descriptor on which it inherits its listening socket. */
  readonly socketAt: number
  /** Contents of files it reads, by path; they are removed when it ends. */
  readonly files: Readonly<Record<string, string>>
}

/** Stream that a program wrote a line to. */
export type OutputStream = 'stdout' | 'stderr'

/** Receives the events of a child. */
export interface ChildEvents {
  /** It, or a descendant, wrote a line. */
  onLine(stream: OutputStream, line: string): void
  /** It has exited, and descendants that accept on its socket are being killed. `exited` resolves when they have ended. */
  onAcceptorsLeft?(): void
}

/**
 * A running program that has inherited a listening socket. It has its own session and process group, so that all its
 * descendants can be killed with it.
 */
export class Child {
  /** Process id; undefined if it could not be started. */
  readonly pid: number | undefined
  /**
   * Resolves when it has exited and no descendant accepts on its socket any more. Others may be running, and keep its
   * output open: jobs that a page has started in the background outlive their process, as under php-fpm.
   */
  readonly exited: Promise<Exit>
  /** Resolves when it has exited and its output has been read, or OUTPUT_TIMEOUT later. */
  readonly outputEnded: Promise<void>
  /** Whether all its descendants are killed when it has exited. */
  endsDescendants = false
  readonly #process: ChildProcess | undefined
  readonly #socketInode: string | undefined
  readonly #program: string
  readonly #events: ChildEvents
  #files: readonly string[]
  #exit: Exit | undefined

  constructor(command: ChildCommand, socket: number, events: ChildEvents) {
    this.#events = events
    this.#files = Object.keys(command.files)
    this.#program = command.program
    this.#socketInode = socketInode(socket)
    const started = start(command, socket)
    if (started instanceof Error) {
      this.#removeFiles()
      this.exited = Promise.resolve({ code: null, signal: null, error: started })
      this.outputEnded = Promise.resolve()
      return
    }
    this.#process = started
    this.pid = started.pid
    if (this.pid !== undefined) reaper.watch('group', String(this.pid))
    const ended = new Promise<Exit>((resolve) => {
      // Not once(): kill() reports each failure by this event, too.
      started.on('error', (error) => resolve({ code: null, signal: null, error }))
      started.once('exit', (code, signal) => resolve({ code, signal }))
    })
    const closed = new Promise<void>((resolve) => started.once('close', () => resolve()))
    this.exited = ended.then((exit) => this.#ended(exit))
    this.outputEnded = ended.then(() => Promise.race([closed, delay(OUTPUT_TIMEOUT)]))
    this.#read(started)
    // A child must not keep the event loop of this process alive.
    started.unref()
  }

  /** Whether it was started and has not exited. */
  get running(): boolean {
    return this.#exit === undefined && this.pid !== undefined
  }

  /** Sends a signal, unless it has exited. */
  signal(name: NodeJS.Signals): void {
    if (this.running) this.#process?.kill(name)
  }

  /** Kills its process group with SIGKILL. */
  kill(): void {
    if (this.running) this.#killGroup()
  }

  /**
   * Sends `signal` repeatedly until it exits; after `timeout` milliseconds its process group is killed. There must be no
   * connection to it: libfcgi ignores the signal while one is open and silent.
   */
  async stop(signal: NodeJS.Signals, timeout: number): Promise<void> {
    this.#process?.ref()
    this.signal(signal)
    const again = setInterval(() => this.signal(signal), SIGNAL_INTERVAL)
    const last = setTimeout(() => this.kill(), timeout)
    await this.exited
    clearInterval(again)
    clearTimeout(last)
  }

  /** Leaves its files in place, because another child uses files of the same paths. */
  keepFiles(): void {
    this.#files = []
  }

  #read(process: ChildProcess): void {
    for (const name of ['stdout', 'stderr'] as const) {
      // Undefined, which the types do not say, if there were too few file descriptors to start it.
      const stream = process[name] ?? undefined
      if (stream === undefined) continue
      const lines = new StderrLines(
        (line) => this.#events.onLine(name, line),
        Number.POSITIVE_INFINITY,
      )
      stream.on('data', (chunk: Buffer) => lines.push(chunk))
      stream.once('end', () => lines.end()).on('error', () => {})
      if ('unref' in stream && typeof stream.unref === 'function') stream.unref()
    }
  }

  async #ended(exit: Exit): Promise<Exit> {
    this.#exit = exit
    this.#removeFiles()
    if (this.pid === undefined) return exit
    if (this.endsDescendants) this.#killGroup()
    const leader = { pid: this.pid, program: this.#program, inode: this.#socketInode ?? '' }
    await endAcceptors(leader, () => this.#events.onAcceptorsLeft?.())
    reaper.unwatch('group', String(this.pid))
    return exit
  }

  #removeFiles(): void {
    for (const file of this.#files) {
      rmSync(file, { force: true })
      reaper.unwatch('file', file)
    }
  }

  #killGroup(): void {
    try {
      if (this.pid !== undefined) process.kill(-this.pid, 'SIGKILL')
    } catch {
      // ESRCH: the group has no process left.
    }
  }
}

/** Starts the program. Node reports a failure by throwing or by an 'error' event; this returns the thrown one. */
function start(command: ChildCommand, socket: number): ChildProcess | Error {
  // The socket is passed as descriptor 0 in any case: libuv makes only descriptors 0 to 2 of a child blocking, and the flag
  // belongs to the socket, not to the descriptor. On a non-blocking socket, a php-fpm child whose accept() finds that
  // another child was faster exits.
  const stdio: Array<number | 'ignore' | 'pipe'> = [socket, 'pipe', 'pipe']
  stdio[command.socketAt] = socket
  try {
    for (const [file, content] of Object.entries(command.files)) {
      reaper.watch('file', file)
      writeFileSync(file, content, { mode: 0o600 })
    }
    return spawn(command.file, command.args, {
      stdio,
      detached: true,
      cwd: command.cwd,
      env: command.env,
    })
  } catch (error) {
    return error as Error
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
}
