/**
 * Keeps the way of a request short: what it runs and allocates is counted, which says the same on every machine.
 * How fast that is, `npm run bench` measures.
 */
import t from 'tap'
import { type Cost, HotPath, type ServerName } from '../helpers/hot-path.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

const BODY = Buffer.alloc(1024, 'x')

/**
 * What a request costs on top of what the bare server costs. Over 115 % of this the test fails: make it cheaper again or,
 * if what it buys is worth it, write down the new figures. Under 70 % it fails as well, so that what was won is kept.
 */
const EXPECTED: ReadonlyArray<readonly [ServerName, Buffer | undefined, Cost]> = [
  ['http', undefined, { ours: 66_000, others: 50_000, bytes: 14_400 }],
  ['fastify', undefined, { ours: 66_000, others: 49_000, bytes: 13_500 }],
  ['express', undefined, { ours: 67_000, others: 49_000, bytes: 14_900 }],
  ['http', BODY, { ours: 76_500, others: 138_000, bytes: 29_000 }],
]

t.test('the cost of a request', async (t) => {
  const peer = await startPeer(wellBehaved(() => BODY))
  t.teardown(() => peer.close())
  // Connections that end of age would come at random.
  const servers = await HotPath.start({ upstream: peer.address, checkLocal: false, maxAge: 0 })
  t.teardown(() => servers.stop())
  for (const [server, body, expected] of EXPECTED)
    await t.test(`${server}, ${body === undefined ? 'GET' : 'POST'}`, async (t) => {
      const bare = await servers.measure(`bare-${server}` as ServerName, body)
      const whole = await servers.measure(server, body)
      for (const figure of ['ours', 'others', 'bytes'] as const) {
        const found = whole[figure] - bare[figure]
        const share = found / expected[figure]
        const text = `${figure}: ${found}, expected ${expected[figure]}`
        t.ok(share <= 1.15, `no dearer; ${text}`)
        t.ok(share >= 0.7, `no cheaper; ${text}`)
      }
    })
})
