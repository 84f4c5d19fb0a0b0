// Active health checks: sends a request to each member at an interval.
import { request } from '../../exchange/response.ts'
import type { HealthCheckOptions } from '../options.ts'
import type { Member } from './member.ts'

/** How much of the body is read, in bytes. */
const MAX_BODY_SIZE = 65_536

/** Receives the result of a check, once `passes` or `fails` consecutive checks had it. */
export type CheckReport = (member: Member, passed: boolean, error: Error | undefined) => void

/**
 * Checks all members at an interval by a FastCGI request. Connecting alone would prove nothing, because the kernel
 * accepts connections while all workers hang, and the only process of a libfcgi application would wait two seconds for
 * a request.
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
      // One check per member at a time, so that a late answer cannot contradict a newer one.
      if (this.#running.has(member)) continue
      this.#checkOne(member).then(
        () => this.#countResult(member, true, undefined),
        // A busy member has not failed: no result is counted.
        (error) => error.code === 'FCGI_OVERLOADED' || this.#countResult(member, false, error),
      )
    }
  }

  async #checkOne(member: Member): Promise<void> {
    // AbortSignal.any() and AbortSignal.timeout() would be shorter, but Node 20 garbage-collects them before they fire.
    const check = new AbortController()
    const { timeout = 5000 } = this.#options
    const timer = setTimeout(() => check.abort(), timeout)
    this.#running.set(member, check)
    try {
      await this.#exchange(member, check.signal)
    } catch (error) {
      if (!check.signal.aborted) throw error
      throw new Error(
        `health check ${this.#options.path}: not done within ${timeout} ms (option healthCheck.timeout)`,
      )
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
      throw new Error(`health check ${path}: status ${response.status} (option healthCheck.status)`)
    if (body === undefined) return
    const matches = typeof body === 'string' ? text.includes(body) : text.search(body) !== -1
    if (!matches)
      throw new Error(
        `health check ${path}: the body does not match ${body} (option healthCheck.body)`,
      )
  }

  #countResult(member: Member, passed: boolean, error: Error | undefined): void {
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
    if (text.length > MAX_BODY_SIZE) break
  }
  return text
}
