import { request } from '../../exchange/response.ts'
import type { HealthCheckOptions } from '../options.ts'
import type { Member } from './member.ts'

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
  readonly #running = new Map<Member, AbortController>()
  #stopped = false

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
    this.#stopped = true
    for (const check of this.#running.values()) check.abort()
  }

  #checkAll(): void {
    for (const member of this.#members) {
      // One at a time: a late answer is not to contradict a newer one.
      if (this.#running.has(member)) continue
      this.#ask(member).then(
        () => this.#count(member, true, undefined),
        // It has no room, or its queue is full: that is work, not sickness.
        (error) => error.code === 'FCGI_OVERLOADED' || this.#count(member, false, error),
      )
    }
  }

  async #ask(member: Member): Promise<void> {
    // AbortSignal.any() and timeout() would be shorter, but Node 20 collects them as garbage before they fire.
    const check = new AbortController()
    const { timeout = 5000 } = this.#options
    const timer = setTimeout(() => check.abort(), timeout)
    this.#running.set(member, check)
    try {
      await this.#exchange(member, check.signal)
    } catch (error) {
      if (!check.signal.aborted) throw error
      throw new Error(`health check ${this.#options.path}: not done within ${timeout} ms`)
    } finally {
      clearTimeout(timer)
      this.#running.delete(member)
    }
  }

  async #exchange(member: Member, signal: AbortSignal): Promise<void> {
    const { path, params, status = [200], body } = this.#options
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
    if (this.#stopped) return
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
