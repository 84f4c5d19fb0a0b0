/** Members that answer when and how a test says, and requests that keep what came of them. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BalanceHints,
  Balancer,
  type BalancerOptions,
  type DispatchControl,
  type Dispatcher,
  type DispatcherStats,
  type DispatchHandler,
  FastCGIError,
  type FastCGIRequest,
  type FastCGIResponse,
  type MemberEvent,
  type MemberOptions,
} from '@fastcgi/client'
import { decodeNameValues } from '@fastcgi/protocol'
import type { Test } from 'tap'

const STATS: DispatcherStats = {
  connections: 0,
  idle: 0,
  active: 0,
  queued: 0,
  limit: 64,
  requests: 0,
  failed: 0,
  retries: 0,
}

/** One attempt, as a member sees it. */
export class Call implements DispatchControl {
  readonly request: FastCGIRequest
  readonly handler: DispatchHandler
  aborted = false
  resumed = 0
  over = false

  constructor(request: FastCGIRequest, handler: DispatchHandler) {
    this.request = request
    this.handler = handler
  }

  /** The params, every one that was sent. */
  get pairs(): Array<[string, string]> {
    const { params } = this.request
    return Buffer.isBuffer(params)
      ? decodeNameValues(params)
      : Object.entries(params as Record<string, string>)
  }

  /** The params that a balancer adds. */
  get balancerParams(): Record<string, string> {
    const own = this.pairs.filter(([name]) => name.startsWith('BALANCER_'))
    const names = own.map(([name]) => name)
    if (new Set(names).size < names.length) throw new Error(`sent twice: ${names}`)
    return Object.fromEntries(own)
  }

  head(status = 200): void {
    this.handler.onHead(status, [], '', true)
  }

  data(text: string): boolean {
    return this.handler.onData(Buffer.from(text))
  }

  end(): void {
    this.over = true
    this.handler.onEnd(0)
  }

  answer(status = 200, body = 'ok'): void {
    this.head(status)
    if (body !== '') this.data(body)
    this.end()
  }

  /** @param retryable as a pool would say: nothing of it was done, or it may be done again. */
  fail(code = 'FCGI_CONNECT', retryable = true): void {
    this.over = true
    this.handler.onError(new FastCGIError(code, `stub says ${code}`), retryable)
  }

  resume(): void {
    this.resumed++
  }

  abort(): void {
    if (this.over) return
    this.aborted = this.over = true
    this.handler.onError(new FastCGIError('FCGI_ABORTED', 'given up'), false)
  }
}

/** What a member does with a request; it may also keep it and do something later. */
export type Behaviour = (call: Call) => void

export const answers: Behaviour = (call) => call.answer()
export const keeps: Behaviour = () => {}
export const refuses: Behaviour = (call) => process.nextTick(() => call.fail())

/** A member. */
export class Stub implements Dispatcher {
  readonly name: string
  readonly calls: Call[] = []
  behaviour: Behaviour
  closed = 0
  destroyed = 0

  constructor(name: string, behaviour: Behaviour = answers) {
    this.name = name
    this.behaviour = behaviour
  }

  /** Requests that it has and that are not over. */
  get open(): Call[] {
    return this.calls.filter((call) => !call.over)
  }

  get last(): Call {
    const call = this.calls.at(-1)
    if (call === undefined) throw new Error(`${this.name} was not asked`)
    return call
  }

  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    const call = new Call(request, handler)
    this.calls.push(call)
    request.signal?.addEventListener('abort', () => call.abort())
    this.behaviour(call)
    return call
  }

  request(): Promise<FastCGIResponse> {
    throw new Error('not used')
  }

  async close(): Promise<void> {
    this.closed++
  }

  async destroy(): Promise<void> {
    this.destroyed++
  }

  get stats(): DispatcherStats {
    return { ...STATS, active: this.open.length }
  }
}

/** What came of one request. */
export class Taken implements DispatchHandler {
  status: number | undefined
  body = ''
  error: FastCGIError | undefined
  ends = 0
  readonly done: Promise<this>
  control!: DispatchControl
  onDone: (() => void) | undefined
  pauses = false
  #settle!: () => void

  constructor() {
    this.done = new Promise<void>((resolve) => {
      this.#settle = resolve
    }).then(() => this)
  }

  get over(): boolean {
    return this.ends > 0
  }

  /** Its error's code, or its status. */
  get result(): string | number | undefined {
    return this.error?.code ?? (this.over ? this.status : undefined)
  }

  onHead(status: number): void {
    this.#alive()
    this.status = status
  }

  onData(chunk: Buffer): boolean {
    this.#alive()
    this.body += chunk
    return !this.pauses
  }

  onEnd(): void {
    this.#end()
  }

  onError(error: FastCGIError): void {
    this.error = error
    this.#end()
  }

  #end(): void {
    this.#alive()
    this.ends++
    this.onDone?.()
    // Whoever ends it once more is to be caught.
    setImmediate(this.#settle)
  }

  #alive(): void {
    if (this.over) throw new Error('called after the end of the request')
  }
}

/** Dispatches a request. */
export function send(balancer: Balancer, request: Partial<FastCGIRequest> = {}): Taken {
  const taken = new Taken()
  taken.control = balancer.dispatch({ params: { N: '1' }, ...request }, taken)
  return taken
}

const NOBODY: DispatchHandler = {
  onHead() {},
  onData: () => true,
  onEnd() {},
  onError(error) {
    throw error
  },
}

/** Dispatches a request that cannot fail and whose answer is of no interest: one of very many. */
export function fire(balancer: Balancer, request: Partial<FastCGIRequest> = {}): void {
  balancer.dispatch({ params: {}, ...request }, NOBODY)
}

/** Dispatches a request and waits for its end. */
export function sent(balancer: Balancer, request: Partial<FastCGIRequest> = {}): Promise<Taken> {
  return send(balancer, request).done
}

/** What a gateway would tell of a request. */
export function hints(
  own: {
    path?: string
    clientAddress?: string
    cookies?: Record<string, string>
    parameters?: Record<string, string>
  } = {},
): BalanceHints {
  return {
    path: own.path ?? '/',
    clientAddress: own.clientAddress ?? '192.0.2.1',
    cookie: (name) => own.cookies?.[name],
    pathParameter: (name) => own.parameters?.[name],
  }
}

/** A balancer over stubs named a, b, c…, and what it told of them. */
export interface Setup {
  balancer: Balancer
  stubs: Stub[]
  events: MemberEvent[]
  /** Events as `member event`. */
  told(): string[]
}

/** Makes one stub per item; when the test is over, nothing may be under way. */
export function setup(
  t: Test,
  members: ReadonlyArray<Partial<MemberOptions> & { does?: Behaviour }>,
  options: BalancerOptions = {},
): Setup {
  const stubs = members.map(({ does }, at) => new Stub(String.fromCharCode(97 + at), does))
  const balancer = new Balancer({
    ...options,
    members: members.map(({ does: _, ...member }, at) => {
      const address = stubs[at] as Stub
      return { name: address.name, ...member, address }
    }),
  })
  const events: MemberEvent[] = []
  balancer.onMember((event) => events.push(event))
  t.teardown(async () => {
    await balancer.destroy()
    const loads = balancer.members.filter((member) => member.counters.load !== 0)
    for (const { name, counters } of loads) throw new Error(`${name} has load ${counters.load}`)
  })
  const told = (): string[] => events.map(({ member, event }) => `${member} ${event}`)
  return { balancer, stubs, events, told }
}

/** How many requests each stub has had. */
export function counts(stubs: readonly Stub[]): number[] {
  return stubs.map((stub) => stub.calls.length)
}

/** A time limit, longer on a machine that is slow, as the runner of the tests has measured it. */
export function scaled(milliseconds: number): number {
  return Math.ceil(milliseconds * Number(process.env.FCGI_TEST_SLOWNESS ?? 1))
}

/** Resolves once the condition holds. */
export async function until(what: string, condition: () => boolean, limit = 5000): Promise<void> {
  const end = performance.now() + scaled(limit)
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await sleep(2)
  }
}

/** Lets everything happen that is ready. */
export async function turn(): Promise<void> {
  await new Promise(setImmediate)
  await new Promise(setImmediate)
}

export { sleep }
