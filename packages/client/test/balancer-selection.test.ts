/** Who may take a request at all: sets, spares, standbys, what the operator says. */
import type { MemberStatus } from '@fastcgi/client'
import t from 'tap'
import { counts, refuses, type Setup, send, sent, setup } from './balancer-stubs.ts'

const RULES = { method: 'round-robin', maxFailures: 1, retry: 60_000 } as const

/** Members that got any of ten requests. */
function asked(made: Setup): string {
  const before = counts(made.stubs)
  for (let n = 0; n < 10; n++) send(made.balancer)
  const after = counts(made.stubs)
  return made.stubs
    .filter((_, at) => after[at] !== before[at])
    .map(({ name }) => name)
    .join('')
}

const set = (made: Setup, name: string, status: MemberStatus) =>
  made.balancer.update(name, { status })

t.test('lbset: a higher set only where a lower one has nobody', (t) => {
  const made = setup(t, [{ lbset: 2 }, { lbset: 0 }, { lbset: 0 }, { lbset: 1 }], RULES)
  t.equal(asked(made), 'bc')
  set(made, 'b', 'disabled')
  t.equal(asked(made), 'c')
  set(made, 'c', 'disabled')
  t.equal(asked(made), 'd')
  set(made, 'd', 'disabled')
  t.equal(asked(made), 'a')
  set(made, 'c', 'enabled')
  t.equal(asked(made), 'c')
  t.end()
})

t.test('hot spares: as many as there are unusable ones', (t) => {
  const made = setup(t, [{}, {}, {}, { role: 'spare' }, { role: 'spare' }], RULES)
  t.equal(asked(made), 'abc')
  set(made, 'a', 'disabled')
  t.equal(asked(made), 'bcd')
  set(made, 'b', 'draining')
  t.equal(asked(made), 'cde')
  set(made, 'c', 'stopped')
  t.equal(asked(made), 'de')
  set(made, 'a', 'enabled')
  t.equal(asked(made), 'ade')
  set(made, 'd', 'disabled')
  t.equal(asked(made), 'ae', 'a spare that cannot stand in does not count')
  t.end()
})

t.test('a spare stands in within its set', (t) => {
  const made = setup(t, [{}, { lbset: 1 }, { lbset: 1, role: 'spare' }], RULES)
  set(made, 'a', 'disabled')
  t.equal(asked(made), 'b')
  set(made, 'b', 'disabled')
  t.equal(asked(made), 'c')
  t.end()
})

t.test('hot standbys: when there is nobody else', (t) => {
  const made = setup(t, [{}, { role: 'spare' }, { role: 'standby' }, { role: 'standby' }], RULES)
  t.equal(asked(made), 'a')
  set(made, 'a', 'disabled')
  t.equal(asked(made), 'b')
  set(made, 'b', 'disabled')
  t.equal(asked(made), 'cd')
  set(made, 'a', 'enabled')
  t.equal(asked(made), 'a')
  t.end()
})

t.test('a spare takes the request that its member could not', async (t) => {
  // Once is not enough to take the first one out, but for this request it is unusable.
  const made = setup(t, [{ does: refuses }, { role: 'spare' }], { maxFailures: 3 })
  t.equal((await sent(made.balancer)).result, 200)
  t.strictSame(counts(made.stubs), [1, 1])
})

t.test('a standby takes the request that nobody could', async (t) => {
  const made = setup(t, [{ does: refuses }, { does: refuses }, { role: 'standby' }])
  t.equal((await sent(made.balancer)).result, 200)
  t.strictSame(counts(made.stubs), [1, 1, 1])
})

t.test('a higher set takes the request that the lower one could not', async (t) => {
  const made = setup(t, [{ does: refuses }, { lbset: 1 }])
  t.equal((await sent(made.balancer)).result, 200)
})

t.test('draining, disabled and stopped members get nothing new', async (t) => {
  for (const status of ['draining', 'disabled', 'stopped'] as const) {
    const made = setup(t, [{ status }, {}], RULES)
    t.equal(asked(made), 'b')
    set(made, 'b', status)
    const taken = await sent(made.balancer)
    t.equal(taken.result, 'FCGI_OVERLOADED')
    t.match(taken.error?.message, `a ${status}, b ${status}`)
    t.equal(made.balancer.members[0]?.state(performance.now()), status)
    set(made, 'a', 'enabled')
    t.equal(asked(made), 'a')
  }
})

t.test('forceRecovery does not enable what the operator has taken out', async (t) => {
  const made = setup(t, [{ does: refuses }, { status: 'stopped' }], RULES)
  for (let n = 0; n < 5; n++) t.equal((await sent(made.balancer)).result, 'FCGI_CONNECT')
  t.strictSame(counts(made.stubs), [5, 0])
})

t.test('ignoreErrors: failures never take it out', async (t) => {
  const made = setup(t, [{ ignoreErrors: true, does: refuses }, {}], {
    ...RULES,
    maxAttempts: 1,
  })
  for (let n = 0; n < 6; n++) await sent(made.balancer)
  t.strictSame(counts(made.stubs), [3, 3])
  t.equal(made.balancer.members[0]?.state(performance.now()), 'ok')
  t.match(made.balancer.members[0]?.lastError?.message, /FCGI_CONNECT/)
  t.strictSame(made.told(), [])
})

t.test('a balancer without members says so', async (t) => {
  const made = setup(t, [])
  t.match((await sent(made.balancer)).error, {
    code: 'FCGI_OVERLOADED',
    message: /it has none/,
  })
})
