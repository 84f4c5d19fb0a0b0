// One run of a program: start, output, signals and clean-up.
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { StderrLines } from '@fastcgi/client/internal'
import type { Exit } from './exit-reason.ts'
import { reaper } from './reaper.ts'

/** Milliseconds between two kill signals. They are repeated because a program may get one before its handler is installed. */
const SIGNAL_INTERVAL = 500
/** Milliseconds to wait for the rest of the output after the exit; a descendant may keep the pipes open. */
const OUTPUT_TIMEOUT = 200

/** The program to start, and what it needs. */
export interface ChildCommand {
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

/**
 * A running program that has inherited a listening socket. It has its own session and process group, so that all its
 * descendants can be killed with it.
 */
export class Child {
  /** Process id; undefined if it could not be started. */
  readonly pid: number | undefined
  /** Resolves when it has exited, even while a descendant keeps its output open. */
  readonly exited: Promise<Exit>
  /** Resolves when it has exited and its output has been read, or OUTPUT_TIMEOUT later. */
  readonly outputEnded: Promise<void>
  readonly #process: ChildProcess | undefined
  readonly #files: readonly string[]
  #exit: Exit | undefined

  constructor(
    command: ChildCommand,
    socket: number,
    onLine: (stream: OutputStream, line: string) => void,
  ) {
    this.#files = Object.keys(command.files)
    const started = start(command, socket)
    if (started instanceof Error) {
      this.exited = Promise.resolve({ code: null, signal: null, error: started })
      this.outputEnded = Promise.resolve()
      return
    }
    this.#process = started
    this.pid = started.pid
    if (this.pid !== undefined) reaper.watch('group', String(this.pid))
    this.exited = new Promise((resolve) => {
      started.once('error', (error) => resolve({ code: null, signal: null, error }))
      started.once('exit', (code, signal) => resolve({ code, signal }))
    })
    const closed = new Promise<void>((resolve) => started.once('close', () => resolve()))
    this.outputEnded = this.exited.then((exit) => {
      this.#exit = exit
      this.#cleanUp()
      return Promise.race([closed, delay(OUTPUT_TIMEOUT)])
    })
    this.#read(started, onLine)
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
    if (this.running) this.#signalGroup('SIGKILL')
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

  #read(process: ChildProcess, onLine: (stream: OutputStream, line: string) => void): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = process[name]
      if (stream === null) continue
      const lines = new StderrLines((line) => onLine(name, line), Number.POSITIVE_INFINITY)
      stream.on('data', (chunk: Buffer) => lines.push(chunk))
      stream.once('end', () => lines.end()).on('error', () => {})
      if ('unref' in stream && typeof stream.unref === 'function') stream.unref()
    }
  }

  /** Kills the descendants that it has left behind, and removes its files. */
  #cleanUp(): void {
    if (this.pid === undefined) return
    this.#signalGroup('SIGKILL')
    reaper.unwatch('group', String(this.pid))
    for (const file of this.#files) {
      rmSync(file, { force: true })
      reaper.unwatch('file', file)
    }
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      if (this.pid !== undefined) process.kill(-this.pid, signal)
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
