import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { StderrLines } from '@fastcgi/client/internal'
import type { Exit } from './exit-reason.ts'
import { reaper } from './reaper.ts'

/** Milliseconds between two of the signals that ask a child to end: some come too early to be heard. */
const REPEAT = 500
/** Milliseconds that output may still be on its way after the end. */
const LAST_WORDS = 200

/** What to start. */
export interface ChildCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Descriptor under which it finds its listening socket. */
  readonly socketAt: number
  /** Files it reads, by path; they are there as long as it runs. */
  readonly files: Readonly<Record<string, string>>
}

/** Where a line was written to. */
export type OutputStream = 'stdout' | 'stderr'

/** One run of a program, with a listening socket that it inherits, in a session and process group of its own. */
export class Child {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined
  /** How it ended; settles at once when it has, also while somebody else still holds its output open. */
  readonly exited: Promise<Exit>
  /** Settles when it has ended and nothing more is to be expected of its output. */
  readonly silent: Promise<void>
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
      this.silent = Promise.resolve()
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
    this.silent = this.exited.then((exit) => {
      this.#exit = exit
      this.#sweep()
      return Promise.race([closed, later(LAST_WORDS)])
    })
    this.#read(started, onLine)
    // An application does not keep its manager alive.
    started.unref()
  }

  get running(): boolean {
    return this.#exit === undefined && this.pid !== undefined
  }

  /** Sends a signal, unless it has ended. */
  signal(name: NodeJS.Signals): void {
    if (this.running) this.#process?.kill(name)
  }

  /** Ends it, and whatever it has started, at once. */
  kill(): void {
    if (this.running) this.#signalGroup('SIGKILL')
  }

  /**
   * Asks it to end, again and again; after `timeout` milliseconds it and all it has started are killed. There must be no
   * connection to it: libfcgi that is told to end while one is open and silent never does (FastCGI facts 4.1).
   */
  async stop(signal: NodeJS.Signals, timeout: number): Promise<void> {
    this.#process?.ref()
    this.signal(signal)
    const again = setInterval(() => this.signal(signal), REPEAT)
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

  /** What it has started, and left behind, ends with it. */
  #sweep(): void {
    if (this.pid === undefined) return
    this.#signalGroup('SIGKILL')
    reaper.forget('group', String(this.pid))
    for (const file of this.#files) {
      rmSync(file, { force: true })
      reaper.forget('file', file)
    }
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      if (this.pid !== undefined) process.kill(-this.pid, signal)
    } catch {
      // Nobody is left in it.
    }
  }
}

/** What cannot be started is thrown by Node, emitted, or both; it comes out as one. */
function start(command: ChildCommand, socket: number): ChildProcess | Error {
  // As descriptor 0 in any case: for that one alone, and so for all of the same socket, libuv turns on blocking, without
  // which php-fpm's children end when another one was faster.
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

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
}
