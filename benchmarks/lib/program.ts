// Starts programs, pins them to processors, and measures their CPU time and memory.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Clock ticks of /proc/PID/stat; 100 on every Linux of today. */
const TICKS_PER_SECOND = 100
const STOP_TIMEOUT = 3000

/** Whether a program is installed. */
export function isInstalled(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
}

/** The processors that a program may use. If there are two or more, the measured program has the first for itself. */
export type Place = 'measured' | 'others' | 'anywhere'

const running = new Set<Program>()
process.once('exit', () => {
  for (const program of running) program.kill()
})

/** A running program with its descendants; it is ended by stop(), or with this process. */
export class Program {
  readonly #child: ChildProcess
  #output = ''

  constructor(command: readonly string[], place: Place) {
    const [name = '', ...args] = [...pinned(place), ...command]
    this.#child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text) => {
        this.#output = (this.#output + text).slice(-4096)
      })
    this.#child.on('error', (error) => {
      this.#output += error.message
    })
    running.add(this)
    this.#child.once('exit', () => running.delete(this))
  }

  /** The last part of its output to stdout and stderr. */
  get output(): string {
    return this.#output
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** CPU time it has used so far, user and system, in seconds. */
  get cpuSeconds(): number {
    return sum(this.#pids(), (pid) => {
      const text = read(`/proc/${pid}/stat`)
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    })
  }

  /** Current resident memory in bytes. */
  get memory(): number {
    return this.#status('VmRSS')
  }

  /** Peak resident memory in bytes since {@link forgetPeak}. */
  get peakMemory(): number {
    return this.#status('VmHWM')
  }

  forgetPeak(): void {
    for (const pid of this.#pids()) {
      try {
        writeFileSync(`/proc/${pid}/clear_refs`, '5')
      } catch {
        // Without permission to reset it, the peak is that since the start.
      }
    }
  }

  /** Sends a message to a server of servers/serve.ts; resolves with its answer. */
  async ask(question: string): Promise<unknown> {
    const answer = once(this.#child, 'message')
    this.#child.send(question)
    return (await answer)[0]
  }

  async stop(): Promise<void> {
    if (this.ended) return
    const exit = once(this.#child, 'exit')
    this.#signal('SIGTERM')
    const timer = setTimeout(() => this.kill(), STOP_TIMEOUT)
    await exit
    clearTimeout(timer)
  }

  kill(): void {
    this.#signal('SIGKILL')
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.ended ? [] : this.#pids().reverse()) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has ended already.
      }
    }
  }

  #status(field: string): number {
    const pattern = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm')
    return sum(
      this.#pids(),
      (pid) => Number(pattern.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024,
    )
  }

  /** Process ids of the program and all its descendants. */
  #pids(): number[] {
    const pids = this.#child.pid === undefined ? [] : [this.#child.pid]
    for (const pid of pids) {
      for (const task of tasks(pid))
        pids.push(
          ...read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
        )
    }
    return pids
  }
}

/** Runs a program to its end, and returns its output to stdout. */
export async function run(command: readonly string[], place: Place): Promise<string> {
  const [name = '', ...args] = [...pinned(place), ...command]
  const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`)
  return output
}

/** Compiles a C program of this directory. */
export function compile(source: string, target: string): void {
  execFileSync('cc', ['-O2', '-o', target, source])
}

// Read once, before this process is pinned to some of them.
const processors = availableParallelism()

/** Pins this process, and all processes that it starts from now on, to processors other than the measured one. */
export function stayWithOthers(): void {
  const [taskset, , processors] = pinned('others')
  if (taskset !== undefined && processors !== undefined)
    spawnSync(taskset, ['-acp', processors, String(process.pid)])
}

function pinned(place: Place): string[] {
  if (place === 'anywhere' || processors < 2 || !isInstalled('taskset')) return []
  return ['taskset', '-c', place === 'measured' ? '0' : `1-${processors - 1}`]
}

function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + (of(pid) || 0), 0)
}
