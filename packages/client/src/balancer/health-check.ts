import { request } from '../response.ts'
import type { Member } from './member.ts'
import type { HealthCheckOptions } from './options.ts'

/** Most bytes of a checked body. */
const MOST_BODY = 65_536

/** What a check found. */
export type CheckReport = (member: Member, passed: boolean, error: Error | undefined) => void

/**
 * Asks every member on an interval. A connection alone says nothing: the kernel accepts it while all workers hang, and
 * libfcgi's one process would wait two seconds for what never comes.
 */
export class HealthCheck {
  readonly #options: HealthCheckOptions
  readonly #members: readonly Member[]
  readonly #report: CheckReport
  readonly #streaks = new WeakMap<Member, { passed: boolean; length: number }>()
  readonly #timer: NodeJS.Timeout
  readonly #stop = new AbortController()

  constructor(options: HealthCheckOptions, members: readonly Member[], report: CheckReport) {
    this.#options = options
    this.#members = members
    this.#report = report
    this.#timer = setInterval(() => this.#checkAll(), options.interval ?? 30_000)
    this.#timer.unref()
    this.#checkAll()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#stop.abort()
  }

  #checkAll(): void {
    for (const member of this.#members)
      this.#ask(member).then(
        () => this.#count(member, true, undefined),
        // It has no room, or its queue is full: that is work, not sickness.
        (error) => error.code === 'FCGI_OVERLOADED' || this.#count(member, false, error),
      )
  }

  async #ask(member: Member): Promise<void> {
    const { path, params, timeout = 5000, status = [200], body } = this.#options
    const signal = AbortSignal.any([AbortSignal.timeout(timeout), this.#stop.signal])
    const response = await request(member.dispatcher, {
      params: { REQUEST_METHOD: 'GET', SCRIPT_NAME: path, SCRIPT_FILENAME: path, ...params },
      idempotent: true,
      signal,
    })
    const text = await readText(response.body)
    if (!status.includes(response.status))
      throw new Error(`health check ${path}: status ${response.status}`)
    if (body === undefined) return
    const matches = typeof body === 'string' ? text.includes(body) : text.search(body) !== -1
    if (!matches) throw new Error(`health check ${path}: the body does not match ${body}`)
  }

  #count(member: Member, passed: boolean, error: Error | undefined): void {
    if (this.#stop.signal.aborted) return
    const streak = this.#streaks.get(member)
    const length = streak?.passed === passed ? streak.length + 1 : 1
    this.#streaks.set(member, { passed, length })
    const { passes = 1, fails = 1 } = this.#options
    if (length >= (passed ? passes : fails)) this.#report(member, passed, error)
  }
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += chunk.toString('latin1')
    if (text.length > MOST_BODY) break
  }
  return text
}
