/** The gateway process as the driver sees it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { familyOf } from '../../helpers/manager-process.ts'
import { within } from '../../helpers/wait.ts'
import type { Answer, Command, Figures, Setup } from './messages.ts'

const PROGRAM = fileURLToPath(new URL('./program.js', import.meta.url))
const FLAGS = ['--expose-gc', '--unhandled-rejections=strict']
/** A busy machine takes its time. */
const START = 60_000
const ANSWER = 40_000
/** After SIGTERM, before it is killed. */
const END = 20_000
/** Characters of its output that are kept. */
const OUTPUT = 20_000

export class GatewayProcess {
  readonly pid: number
  port = 0
  /** What it wrote to stdout and stderr. */
  output = ''
  /** How it ended, once it has. */
  ended: string | undefined
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #commands = 0

  private constructor(setup: Setup) {
    this.#child = fork(PROGRAM, [JSON.stringify(setup)], {
      execArgv: FLAGS,
      // Without what tap adds for the sake of coverage: it would change memory and the end.
      env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.pid = this.#child.pid ?? 0
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text) => {
        this.output = (this.output + text).slice(-OUTPUT)
      })
    this.#exited = once(this.#child, 'exit').then(([code, signal]) => {
      this.ended = signal ?? `code ${code}`
      for (const settle of this.#waiting.values()) settle({ id: 0, error: `ended: ${this.ended}` })
    })
    this.#child.on('message', (message: Answer) => this.#waiting.get(message.id)?.(message))
  }

  static async start(setup: Setup): Promise<GatewayProcess> {
    const gateway = new GatewayProcess(setup)
    const [{ port }] = await within('the gateway', once(gateway.#child, 'message'), START)
    gateway.port = port
    return gateway
  }

  figures(): Promise<Figures> {
    return this.ask({ kind: 'figures' }) as Promise<Figures>
  }

  /** Bytes of its heap and Buffers, after a garbage collection. */
  memory(): Promise<number> {
    return this.ask({ kind: 'memory' }) as Promise<number>
  }

  async ask(command: Command): Promise<unknown> {
    if (this.ended !== undefined) throw new Error(`the gateway has ended: ${this.ended}`)
    const id = ++this.#commands
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve))
    this.#child.send({ id, command }, () => {})
    try {
      const { value, error } = await within(`the gateway to ${command.kind}`, answer, ANSWER)
      if (error !== undefined) throw new Error(`${command.kind}: ${error}`)
      return value
    } finally {
      this.#waiting.delete(id)
    }
  }

  /** Open files, sockets and pipes. */
  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** It, and all it has started. */
  family(): number[] {
    return familyOf(this.pid)
  }

  /** Asks it to end; resolves with the milliseconds that it took, or Infinity when it had to be killed. */
  async stop(): Promise<number> {
    const begun = performance.now()
    this.#child.kill('SIGTERM')
    try {
      await within('its end', this.#exited, END)
      return performance.now() - begun
    } catch {
      this.kill()
      await this.#exited
      return Number.POSITIVE_INFINITY
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
