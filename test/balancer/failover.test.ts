/** Failover over real connections: what an application may have seen is not sent twice. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { Balancer, type BalancerOptions, type FastCGIRequest } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { KEPT } from '../helpers/kept.ts'
import { send, sent } from '../helpers/outcome.ts'
import {
  endRecord,
  type Peer,
  response,
  type Script,
  startPeer,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

/** Answers with the digest of what came. */
const digests: Script = async (connection) => {
  for (;;) {
    const request = await connection.request()
    connection.write(response(sha(await request.stdin())), endRecord())
    if (!request.keepConnection) connection.finish()
  }
}

/** Takes the request and closes the connection without a word. */
const dies: Script = async (connection) => {
  await connection.request()
  connection.destroy()
}

/** Takes all of STDIN first. */
const diesLate: Script = async (connection) => {
  await (await connection.request()).stdin()
  connection.destroy()
}

const sha = (bytes: Buffer | string) => createHash('sha1').update(bytes).digest('hex')

/** A balancer over peers, asked in this order; a peer of `undefined` is not there. */
async function setup(
  t: Test,
  scripts: Array<Script | undefined>,
  options: BalancerOptions = {},
): Promise<{ balancer: Balancer; peers: Peer[] }> {
  const peers = await Promise.all(scripts.map((script) => startPeer(script ?? wellBehaved())))
  for (const peer of peers) t.teardown(() => peer.close())
  for (const [at, script] of scripts.entries())
    if (script === undefined) await peers[at]?.stopListening()
  const balancer = new Balancer({
    ...options,
    method: 'round-robin',
    members: peers.map(({ address }) => address),
  })
  t.teardown(() => balancer.destroy())
  return { balancer, peers }
}

const asked = (peers: readonly Peer[]) => peers.map(({ requests }) => requests.length)
const bytes = randomBytes(40_000)
const stream = () => Readable.from([bytes.subarray(0, 9000), bytes.subarray(9000)])

t.test('a member that is not there: any method, any body', async (t) => {
  const bodies: Record<string, () => Partial<FastCGIRequest>> = {
    nothing: () => ({}),
    buffer: () => ({ body: bytes }),
    'a short stream': () => ({ body: stream(), bodyLength: bytes.length }),
    'a long stream': () => ({
      body: Readable.from(Array(10).fill(bytes)),
      bodyLength: bytes.length * 10,
    }),
    'a stream of unknown length': () => ({ body: stream() }),
  }
  for (const [what, make] of Object.entries(bodies))
    for (const idempotent of [true, false]) {
      const { balancer, peers } = await setup(t, [undefined, digests])
      const request = make()
      const outcome = await sent(t, balancer, { ...request, idempotent })
      const whole = what === 'a long stream' ? Buffer.concat(Array(10).fill(bytes)) : bytes
      t.equal(String(outcome.body), sha(what === 'nothing' ? '' : whole), `${what}, ${idempotent}`)
      t.strictSame(asked(peers), [0, 1])
      t.equal(balancer.members[0]?.counters.died, 1)
      await balancer.close()
    }
})

t.test('one that closes before any answer', async (t) => {
  t.test('what is idempotent goes to the next', async (t) => {
    const { balancer, peers } = await setup(t, [dies, diesLate, digests])
    const outcome = await sent(t, balancer, { body: bytes, idempotent: true })
    t.equal(String(outcome.body), sha(bytes))
    t.strictSame(asked(peers), [1, 1, 1])
    t.equal(outcome.attempts.length, 3)
    t.strictSame(
      outcome.attempts.map(({ address }) => address),
      peers.map(({ address }) => address),
    )
  })

  t.test('what is not does not', async (t) => {
    const { balancer, peers } = await setup(t, [dies, digests])
    const outcome = await sent(t, balancer, { body: 'x' })
    t.equal(outcome.error?.code, 'FCGI_PREMATURE_CLOSE')
    t.strictSame(asked(peers), [1, 0])
  })

  t.test('where nothing is said, the method does', async (t) => {
    for (const [REQUEST_METHOD, requests] of Object.entries({ GET: [1, 1], POST: [1, 0] })) {
      const { balancer, peers } = await setup(t, [dies, digests])
      await sent(t, balancer, { params: { REQUEST_METHOD } })
      t.strictSame(asked(peers), requests, REQUEST_METHOD)
    }
  })

  t.test('a stream up to replayBuffer is sent whole to the next', async (t) => {
    const { balancer, peers } = await setup(t, [diesLate, dies, digests], {
      replayBuffer: bytes.length,
    })
    const outcome = await sent(t, balancer, {
      body: stream(),
      bodyLength: bytes.length,
      idempotent: true,
    })
    t.equal(String(outcome.body), sha(bytes))
    t.strictSame(asked(peers), [1, 1, 1])
  })

  t.test('a longer one is not', async (t) => {
    const { balancer, peers } = await setup(t, [diesLate, digests], {
      replayBuffer: bytes.length - 1,
    })
    const outcome = await sent(t, balancer, {
      body: stream(),
      bodyLength: bytes.length,
      idempotent: true,
    })
    t.match(outcome.error, {
      code: 'FCGI_PREMATURE_CLOSE',
      message: `not tried on another member: of a body of ${bytes.length} bytes nothing is kept (option replayBuffer`,
    })
    t.strictSame(asked(peers), [1, 0])
  })
})

t.test('OVERLOADED by the application: to the next, and no failure', async (t) => {
  const { balancer, peers } = await setup(
    t,
    [
      async (connection) => {
        await connection.request()
        connection.end(0, 2)
      },
      digests,
    ],
    { maxFailures: 1 },
  )
  const outcome = await sent(t, balancer, { body: 'x' })
  t.equal(String(outcome.body), sha('x'))
  t.strictSame(asked(peers), [1, 1])
  t.equal(balancer.members[0]?.counters.overloaded, 1)
  t.notOk(balancer.members[0]?.health.failed)
})

t.test('nothing after the first byte', async (t) => {
  const parts: Record<string, (connection: Parameters<Script>[0]) => void> = {
    'half a record': (connection) => connection.write(response('x').subarray(0, 5)),
    'half a head': (connection) => connection.stdout('Content-'),
    'a head': (connection) => connection.stdout('Content-Type: text/plain\r\n\r\n'),
    'half a body': (connection) => connection.write(response('half')),
    'a line of stderr': (connection) => connection.stderr('warning\n'),
  }
  for (const [what, part] of Object.entries(parts)) {
    const { balancer, peers } = await setup(t, [
      async (connection) => {
        await connection.request()
        part(connection)
        connection.finish()
      },
      digests,
    ])
    const outcome = await sent(t, balancer, { idempotent: true })
    t.equal(outcome.error?.code, 'FCGI_PREMATURE_CLOSE', what)
    t.strictSame(asked(peers), [1, 0], what)
    await balancer.close()
  }
})

t.test('a timeout is not repeated, but counts', async (t) => {
  const { balancer, peers } = await setup(
    t,
    [async (connection) => void (await connection.request()), digests],
    { timeouts: { head: 30 }, maxFailures: 1 },
  )
  t.equal((await sent(t, balancer, { idempotent: true })).error?.code, 'FCGI_TIMEOUT')
  t.strictSame(asked(peers), [1, 0])
  t.ok(balancer.members[0]?.health.failed)
})

t.test('given up: the connection is closed, whatever was going on', async (t) => {
  const { balancer, peers } = await setup(t, [
    async (connection) => void (await connection.request()),
  ])
  const outcome = send(t, balancer, { body: new Readable({ read() {} }) })
  await until('the request', () => peers[0]?.requests.length === 1)
  outcome.control.abort()
  t.equal((await outcome.done).error?.code, 'FCGI_ABORTED')
  await until('the end of the connection', () => peers[0]?.open === 0)
  t.equal(balancer.members[0]?.counters.load, 0)
  t.match(balancer.stats, { connections: 0, active: 0, queued: 0 })
})

t.test('remove() of a pool waits for what runs on it and closes its connections', async (t) => {
  const { balancer, peers } = await setup(t, [wellBehaved(), wellBehaved()], KEPT)
  for (let n = 0; n < 4; n++) await sent(t, balancer)
  const [first] = balancer.members
  t.equal(peers[0]?.open, 1, 'kept')
  await balancer.remove(first?.name ?? '')
  await until('it to be closed', () => peers[0]?.open === 0)
  t.equal(peers[1]?.open, 1)
})
