/** A scripted application whose requests wait until a test answers them; each goes by its param N. */
import type { Dispatcher } from '@fastcgi/client'
import type { Test } from 'tap'
import { type Outcome, send } from './outcome.ts'
import {
  allAtOnce,
  endRecord,
  type PeerConnection,
  type PeerRequest,
  response,
  type Script,
} from './scripted-peer.ts'
import { until } from './wait.ts'

/** Requests wait until a test answers them. */
export class Held {
  readonly requests = new Map<string, { request: PeerRequest; connection: PeerConnection }>()
  readonly script: Script = allAtOnce((request, connection) => {
    this.requests.set(`${request.params.N}`, { request, connection })
  })

  /** The one whose param N is this. */
  async get(name: string): Promise<{ request: PeerRequest; connection: PeerConnection }> {
    await until(`request ${name}`, () => this.requests.has(name))
    const held = this.requests.get(name)
    if (held === undefined) throw new Error(`no request ${name}`)
    return held
  }

  async answer(name: string, body = name): Promise<void> {
    const { request, connection } = await this.get(name)
    connection.write(response(body, request.id), endRecord(0, 0, request.id))
  }

  async id(name: string): Promise<number> {
    return (await this.get(name)).request.id
  }
}

/** Sends idempotent requests of these names. */
export function named(t: Test, pool: Dispatcher, ...names: string[]): Outcome[] {
  return names.map((N) => send(t, pool, { params: { N }, idempotent: true }))
}

/** Complains when a request was not answered with this body. */
export function isAnswered(t: Test, outcome: Outcome, body: string): void {
  t.strictSame([outcome.error, outcome.body.toString()], [undefined, body])
}
