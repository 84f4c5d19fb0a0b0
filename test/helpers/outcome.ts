/** Sends requests and keeps what comes of them; complains when an outcome is not exactly one. */
import type {
  Attempt,
  DispatchControl,
  Dispatcher,
  DispatchHandler,
  FastCGIError,
  FastCGIRequest,
  PoolOptions,
} from '@fastcgi/client'
import { Pool } from '@fastcgi/client'
import type { Test } from 'tap'
import { type Peer, type PeerOptions, type Script, startPeer } from './scripted-peer.ts'
import { until, within } from './wait.ts'

/** What came of a request so far, or in the end. */
export class Outcome implements DispatchHandler {
  readonly attempts: Attempt[] = []
  readonly informational: number[] = []
  readonly chunks: Buffer[] = []
  readonly stderr: string[] = []
  status: number | undefined
  reason: string | undefined
  headers: string[] = []
  appStatus: number | undefined
  error: FastCGIError | undefined
  control!: DispatchControl
  /** Resolves when `onEnd` or `onError` was called and neither was called again. */
  readonly done: Promise<this>

  readonly #t: Test
  readonly #hooks: Hooks
  #ends = 0
  #settle!: () => void

  constructor(t: Test, hooks: Hooks) {
    this.#t = t
    this.#hooks = hooks
    this.done = within(
      'onEnd or onError',
      new Promise<void>((resolve) => {
        this.#settle = resolve
      }).then(() => this),
      hooks.limit,
    )
    // A test that failed before it waited for this is to fail for its own reason.
    this.done.catch(() => {})
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get ended(): boolean {
    return this.#ends > 0
  }

  onStart(attempt: Attempt): void {
    this.#alive('onStart')
    this.attempts.push(attempt)
    this.#hooks.onStart?.(this)
  }

  onInformational(status: number): void {
    this.#alive('onInformational')
    this.informational.push(status)
  }

  onHead(status: number, headers: string[], reason: string): void {
    this.#alive('onHead')
    if (this.status !== undefined) this.#t.fail('onHead twice')
    this.status = status
    this.headers = headers
    this.reason = reason
    this.#hooks.onHead?.(this)
  }

  onData(chunk: Buffer): boolean {
    this.#alive('onData')
    if (this.status === undefined) this.#t.fail('onData before onHead')
    if (chunk.length === 0) this.#t.fail('onData without data')
    this.chunks.push(chunk)
    return this.#hooks.onData?.(chunk, this) ?? true
  }

  onFlush(): void {
    this.#alive('onFlush')
  }

  onStderr(line: string): void {
    this.#alive('onStderr')
    this.stderr.push(line)
  }

  onEnd(appStatus: number): void {
    this.#alive('onEnd')
    if (this.status === undefined) this.#t.fail('onEnd before onHead')
    this.appStatus = appStatus
    this.#end()
  }

  onError(error: FastCGIError): void {
    this.#alive('onError')
    this.error = error
    this.#end()
  }

  #end(): void {
    this.#ends++
    this.#hooks.onDone?.(this)
    setImmediate(this.#settle)
  }

  #alive(what: string): void {
    if (this.#ends > 0) this.#t.fail(`${what} after the end of the request`)
  }
}

/** What a test does on the way. */
export interface Hooks {
  onStart?(outcome: Outcome): void
  onHead?(outcome: Outcome): void
  onData?(chunk: Buffer, outcome: Outcome): boolean
  onDone?(outcome: Outcome): void
  /** Milliseconds that the whole may take. */
  limit?: number
}

/** Dispatches a request. */
export function send(
  t: Test,
  dispatcher: Dispatcher,
  request: Partial<FastCGIRequest> = {},
  hooks: Hooks = {},
): Outcome {
  const outcome = new Outcome(t, hooks)
  outcome.control = dispatcher.dispatch({ params: { N: '1' }, ...request }, outcome)
  return outcome
}

/** Dispatches a request and waits for its outcome. */
export function sent(
  t: Test,
  dispatcher: Dispatcher,
  request: Partial<FastCGIRequest> = {},
  hooks: Hooks = {},
): Promise<Outcome> {
  return send(t, dispatcher, request, hooks).done
}

/** A peer with a script and a pool of connections to it, both gone after the test without a trace. */
export async function peerAndPool(
  t: Test,
  script: Script,
  options: PoolOptions & PeerOptions = {},
): Promise<{ peer: Peer; pool: Pool }> {
  const { listen, port, values, ...poolOptions } = options
  const peer = await startPeer(script, { listen, port, values })
  t.teardown(() => peer.close())
  return { peer, pool: poolOf(t, peer.address, poolOptions) }
}

/** A pool that is destroyed after the test, and checked then: nothing open, nothing waiting. */
export function poolOf(t: Test, address: string, options: PoolOptions = {}): Pool {
  const pool = new Pool(address, options)
  t.teardown(async () => {
    await pool.destroy()
    const { connections, idle, active, queued } = pool.stats
    const left = connections + idle + active + queued
    if (left > 0) throw new Error(`a destroyed pool has ${JSON.stringify(pool.stats)}`)
  })
  return pool
}

/** Resolves once all of the peer's connections are closed. */
export function allClosed(peer: Peer): Promise<void> {
  return until('the client closing its connections', () => peer.open === 0)
}
