/** The snapshots of several processes as one. */
import { Balancer } from '@fastcgi/client'
import { Monitor, mergeSnapshots, type StatusSnapshot } from '@fastcgi/gateway/internal'
import t, { type Test } from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

/** The snapshot of a process that has sent so many requests. */
async function snapshotOf(t: Test, members: string[], requests: number): Promise<StatusSnapshot> {
  const balancer = new Balancer({ name: 'shop', members, method: 'byrequests' })
  t.teardown(() => balancer.close())
  for (let n = 0; n < requests; n++) {
    const response = await balancer.request({ params: { REQUEST_METHOD: 'GET' } })
    await response.bytes()
  }
  return new Monitor({ dispatchers: () => ({ shop: balancer }), caches: () => ({}) }).snapshot()
}

t.test('counters and times are added, members are joined by name', async (t) => {
  const peers = await Promise.all([1, 2].map(() => startPeer(wellBehaved())))
  t.teardown(() => Promise.all(peers.map((peer) => peer.close())))
  const [a = '', b = ''] = peers.map(({ address }) => address)
  const one = await snapshotOf(t, [a, b], 4)
  const two = await snapshotOf(t, [b], 3)
  const sum = mergeSnapshots([one, two])
  const [shop] = sum.dispatchers
  t.equal(sum.dispatchers.length, 1)
  t.match(shop, { name: 'shop', kind: 'balancer', stats: { requests: 7, failed: 0 } })
  t.match(shop?.members, [
    { name: a, state: 'ok', stats: { requests: 2 }, totalTimes: { count: 2 } },
    { name: b, state: 'ok', stats: { requests: 5 }, totalTimes: { count: 5 } },
  ])
  const { counts = [], p50 = null, mean = null } = shop?.members[1]?.totalTimes ?? {}
  t.equal(
    counts.reduce((all, count) => all + count, 0),
    5,
  )
  t.ok(p50 !== null && mean !== null)
  t.strictSame(mergeSnapshots([one]), one, 'of one process nothing changes')
})

t.test('the worst state and the last error of a member win', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const snapshot = await snapshotOf(t, [peer.address], 1)
  const withMember = (state: string, at: string | null): StatusSnapshot =>
    ({
      ...snapshot,
      dispatchers: snapshot.dispatchers.map((dispatcher) => ({
        ...dispatcher,
        members: dispatcher.members.map((member) => ({
          ...member,
          state,
          lastError: at && { message: at, at },
        })),
      })),
    }) as StatusSnapshot
  const sum = mergeSnapshots([
    withMember('ok', '2026-01-02'),
    withMember('failed', '2026-01-03'),
    withMember('recovering', null),
  ])
  t.match(sum.dispatchers[0]?.members, [{ state: 'failed', lastError: { at: '2026-01-03' } }])
})
