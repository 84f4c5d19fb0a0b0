/** When a request goes to another member, and when it must not; and requests that are given up. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import {
  answers,
  type Behaviour,
  type Call,
  counts,
  keeps,
  refuses,
  type Stub,
  send,
  sent,
  setup,
  sleep,
  turn,
} from './balancer-stubs.ts'

const failsNow: Behaviour = (call) => call.fail()

t.test('to the next until one answers', async (t) => {
  for (const does of [refuses, failsNow]) {
    const made = setup(t, [{ does }, { does }, { does }, {}], { method: 'round-robin' })
    const taken = await sent(made.balancer)
    t.equal(taken.result, 200)
    t.equal(taken.body, 'ok')
    t.strictSame(counts(made.stubs), [1, 1, 1, 1])
    t.match(made.balancer.stats, { requests: 1, failed: 0, retries: 3 })
  }
})

t.test('each member once, then the last error', async (t) => {
  const codes = ['FCGI_CONNECT', 'FCGI_CONNECT_TIMEOUT', 'FCGI_OVERLOADED']
  const made = setup(
    t,
    codes.map((code) => ({ does: (call: Call) => call.fail(code) })),
    { method: 'round-robin' },
  )
  t.equal((await sent(made.balancer)).result, 'FCGI_OVERLOADED')
  t.strictSame(counts(made.stubs), [1, 1, 1])
  t.match(made.balancer.stats, { requests: 1, failed: 1, retries: 2 })
})

t.test('maxAttempts', async (t) => {
  for (const maxAttempts of [1, 2, 3]) {
    const made = setup(t, Array(4).fill({ does: refuses }), { maxAttempts })
    t.equal((await sent(made.balancer)).result, 'FCGI_CONNECT')
    t.equal(
      counts(made.stubs).reduce((a, b) => a + b),
      maxAttempts,
    )
  }
})

t.test('not when the member says that it must not be repeated', async (t) => {
  const made = setup(t, [{ does: (call) => call.fail('FCGI_PREMATURE_CLOSE', false) }, {}])
  t.equal((await sent(made.balancer)).result, 'FCGI_PREMATURE_CLOSE')
  t.strictSame(counts(made.stubs), [1, 0])
})

t.test('not after the head', async (t) => {
  const made = setup(t, [{ does: keeps }, {}])
  const taken = send(made.balancer)
  const [first] = made.stubs as [Stub, Stub]
  first.last.head()
  first.last.data('half of')
  first.last.fail('FCGI_PREMATURE_CLOSE', false)
  t.equal((await taken.done).result, 'FCGI_PREMATURE_CLOSE')
  t.strictSame(counts(made.stubs), [1, 0])
  t.equal(made.balancer.members[0]?.counters.died, 1)
})

t.test('a body and its params go along, whoever is asked', async (t) => {
  const stream = Readable.from([Buffer.alloc(10)])
  const bodies = ['text', Buffer.from('bytes'), stream, null]
  for (const body of bodies) {
    const made = setup(t, [{ does: refuses }, {}], { method: 'round-robin' })
    const signal = new AbortController().signal
    const timeouts = { head: 5 }
    await sent(made.balancer, { body, signal, timeouts, idempotent: true, role: 'authorizer' })
    for (const stub of made.stubs) {
      t.match(stub.last.request, { idempotent: true, role: 'authorizer', timeouts })
      t.equal(stub.last.request.body, body)
    }
  }
})

t.test('a short stream is taken in first and sent whole to each', async (t) => {
  const made = setup(t, [{ does: refuses }, {}], { method: 'round-robin', replayBuffer: 1000 })
  const body = Readable.from([Buffer.alloc(600, 'x'), Buffer.alloc(400, 'y')])
  t.equal((await sent(made.balancer, { body, bodyLength: 1000 })).result, 200)
  const [first, second] = made.stubs as [Stub, Stub]
  t.strictSame(first.last.request.body, Buffer.from('x'.repeat(600) + 'y'.repeat(400)))
  t.equal(second.last.request.body, first.last.request.body)
  t.equal(second.last.request.bodyLength, 1000)
})

t.test('a longer one, or one of unknown length, is passed on as it is', async (t) => {
  for (const bodyLength of [1001, undefined]) {
    const made = setup(t, [{}, {}], { replayBuffer: 1000 })
    const body = Readable.from([Buffer.alloc(1001)])
    await sent(made.balancer, { body, bodyLength })
    const passed = made.stubs[0]?.last.request.body
    t.equal(passed, body)
    t.equal((await buffer(body)).length, 1001, 'and was not touched')
  }
})

t.test('a short stream that breaks off, runs over or is stuck', async (t) => {
  const stuck = new Readable({ read() {} })
  const broken = new Readable({
    read() {
      this.destroy(new Error('gone'))
    },
  })
  const consumed = Readable.from(['x'])
  await buffer(consumed)
  const bodies: Array<[Readable, string]> = [
    [Readable.from([Buffer.alloc(9)]), 'FCGI_BODY_TRUNCATED'],
    [Readable.from([Buffer.alloc(11)]), 'FCGI_BODY_TRUNCATED'],
    [broken, 'FCGI_BODY_TRUNCATED'],
    [consumed, 'FCGI_BODY_CONSUMED'],
    [stuck, 'FCGI_BODY_TIMEOUT'],
  ]
  for (const [body, code] of bodies) {
    const made = setup(t, [{}, {}], { timeouts: { body: 20 } })
    t.equal((await sent(made.balancer, { body, bodyLength: 10 })).result, code)
    t.strictSame(counts(made.stubs), [0, 0])
    t.strictSame(made.told(), [])
  }
  const made = setup(t, [{}, {}])
  const slow = await sent(made.balancer, {
    body: new Readable({ read() {} }),
    bodyLength: 10,
    timeouts: { body: 20 },
  })
  t.match(slow.error, { code: 'FCGI_BODY_TIMEOUT', message: /20 ms \(option timeouts.body\)/ })
})

t.test('a slow body has its time between any two pieces', async (t) => {
  const made = setup(t, [{}], { timeouts: { body: 400 } })
  const body = new Readable({ read() {} })
  const taken = send(made.balancer, { body, bodyLength: 4 })
  for (let n = 0; n < 4; n++) {
    await sleep(150)
    body.push('x')
  }
  body.push(null)
  t.equal((await taken.done).result, 200)
})

t.test('members that come and go while a request is tried', async (t) => {
  t.test('its member is replaced', async (t) => {
    const made = setup(t, [{ does: keeps }, {}])
    const taken = send(made.balancer)
    void made.balancer.remove('a')
    made.stubs[0]?.last.fail()
    t.equal((await taken.done).result, 200)
    t.notOk(made.told().includes('a failed'), 'of those that are gone nothing is told')
  })
  t.test('another one comes', async (t) => {
    const made = setup(t, [{ does: keeps }])
    const taken = send(made.balancer)
    const late = made.stubs[0] as Stub
    made.balancer.add({ address: late, name: 'late' })
    late.last.fail()
    await turn()
    late.last.answer()
    t.equal((await taken.done).result, 200)
    t.equal(late.calls.length, 2)
  })
})

t.test('a paused body is resumed where it comes from', async (t) => {
  const made = setup(t, [{ does: refuses }, { does: keeps }], { method: 'round-robin' })
  const taken = send(made.balancer)
  taken.pauses = true
  await turn()
  const [first, second] = made.stubs as [Stub, Stub]
  second.last.head()
  t.equal(second.last.data('x'), false)
  taken.control.resume()
  t.strictSame([first.last.resumed, second.last.resumed], [0, 1])
  second.last.end()
})

t.test('a member that fails while it is asked keeps no hold of the request', async (t) => {
  const made = setup(t, [{ does: failsNow }, { does: keeps }], { method: 'round-robin' })
  const taken = send(made.balancer)
  taken.control.resume()
  const [first, second] = made.stubs as [Stub, Stub]
  t.strictSame([first.last.resumed, second.last.resumed], [0, 1])
  taken.control.abort()
  t.ok(second.last.aborted)
})

t.test('given up', async (t) => {
  const loads = (made: ReturnType<typeof setup>) =>
    made.balancer.members.map(({ counters }) => counters.load)

  t.test('by a signal that had fired before', async (t) => {
    const made = setup(t, [{}])
    const { error } = await sent(made.balancer, { signal: AbortSignal.abort('why') })
    t.match(error, { code: 'FCGI_ABORTED', cause: 'why' })
    t.strictSame(counts(made.stubs), [0])
  })

  const states: Record<string, (call: Call) => void> = {
    'before the head': () => {},
    'after the head': (call) => call.head(),
    'inside the body': (call) => {
      call.head()
      call.data('x')
    },
  }
  for (const [state, bring] of Object.entries(states))
    for (const bySignal of [true, false])
      t.test(`${state}, by ${bySignal ? 'signal' : 'control'}`, async (t) => {
        const made = setup(t, [{ does: keeps }])
        const controller = new AbortController()
        const taken = send(made.balancer, { signal: controller.signal })
        const call = made.stubs[0]?.last as Call
        bring(call)
        t.strictSame(loads(made), [1])
        if (bySignal) controller.abort('why')
        else taken.control.abort('why')
        t.match(taken.error, { code: 'FCGI_ABORTED', cause: 'why' }, 'at once')
        t.ok(call.aborted)
        t.strictSame(loads(made), [0])
        taken.control.abort()
        controller.abort()
        await taken.done
        t.equal(taken.ends, 1)
        t.match(made.balancer.stats, { requests: 1, failed: 1 })
      })

  t.test('on the second member', async (t) => {
    const made = setup(t, [{ does: refuses }, { does: keeps }], { method: 'round-robin' })
    const taken = send(made.balancer)
    await turn()
    t.strictSame(loads(made), [0, 1])
    taken.control.abort()
    t.equal((await taken.done).result, 'FCGI_ABORTED')
    t.ok(made.stubs[1]?.last.aborted)
    t.strictSame(loads(made), [0, 0])
  })

  t.test('while it waits for a member', async (t) => {
    const made = setup(t, [{ status: 'disabled' }], { timeout: 60_000 })
    const taken = send(made.balancer)
    t.equal(made.balancer.stats.queued, 1)
    taken.control.abort()
    t.equal((await taken.done).result, 'FCGI_ABORTED')
    t.equal(made.balancer.stats.queued, 0)
    made.balancer.update('a', { status: 'enabled' })
    t.strictSame(counts(made.stubs), [0])
  })

  t.test('while its body is taken in', async (t) => {
    const made = setup(t, [{}])
    const body = new Readable({ read() {} })
    const taken = send(made.balancer, { body, bodyLength: 2 })
    body.push('x')
    await turn()
    taken.control.abort()
    t.equal((await taken.done).result, 'FCGI_ABORTED')
    body.push('x')
    body.push(null)
    await turn()
    t.strictSame(counts(made.stubs), [0])
    await made.balancer.close()
  })

  t.test('inside onHead, onData, while it is sent', async (t) => {
    for (const when of ['onHead', 'onData'] as const) {
      const made = setup(t, [{ does: keeps }])
      const taken = send(made.balancer)
      taken[when] = () => {
        taken.control.abort()
        return true
      }
      const call = made.stubs[0]?.last as Call
      call.head()
      if (!call.over) call.data('x')
      t.equal((await taken.done).result, 'FCGI_ABORTED')
      t.strictSame(loads(made), [0])
    }
    const made = setup(t, [{}])
    const controller = new AbortController()
    const [only] = made.stubs as [Stub]
    only.behaviour = () => controller.abort()
    const taken = send(made.balancer, { signal: controller.signal })
    t.equal((await taken.done).result, 'FCGI_ABORTED')
    t.ok(only.last.aborted, 'also where the control was not known yet')
    t.strictSame(loads(made), [0])
  })

  t.test('when it is over, nothing happens', async (t) => {
    const made = setup(t, [{ does: answers }])
    const taken = await sent(made.balancer)
    taken.control.abort()
    taken.control.resume()
    t.equal(taken.result, 200)
  })

  t.test('listeners on the signal go with the request', async (t) => {
    const made = setup(t, [{}])
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--
      removeEventListener.apply(signal, args)
    }
    for (let n = 0; n < 20; n++) await sent(made.balancer, { signal })
    t.equal(listeners, 0)
  })
})

t.test('params that cannot be sent', async (t) => {
  const made = setup(t, [{}])
  const nul = send(made.balancer, { params: { A: 'x\0y' } })
  t.equal(nul.over, false, 'not before dispatch() has returned')
  t.equal((await nul.done).result, 'FCGI_PROTOCOL')
  const large = await sent(made.balancer, { params: { A: 'x'.repeat(70_000) } })
  t.equal(large.result, 'FCGI_PARAMS_TOO_LARGE')
  t.match(made.balancer.stats, { requests: 2, failed: 2 })
})

t.test('request(), the comfortable way', async (t) => {
  const made = setup(t, [{ does: refuses }, {}], { method: 'round-robin' })
  const response = await made.balancer.request({ params: {} })
  t.equal(response.status, 200)
  t.equal(await response.text(), 'ok')
})
