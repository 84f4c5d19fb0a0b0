/** Guards are asked before the cache, and what they have let through is stored only if its response allows it by name. */
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { whole } from '../helpers/behind.ts'
import { startSite } from '../helpers/cached-app.ts'
import { eachRequest, startPeer } from '../helpers/scripted-peer.ts'

/** An authorizer that lets those in who name themselves. */
const doorkeeper = eachRequest(async (request, connection) => {
  await request.stdin()
  const { HTTP_X_NAME: name } = request.params
  const head =
    name === undefined
      ? 'Status: 403 Forbidden\r\n\r\n'
      : `Status: 200 OK\r\nVariable-NAME: ${name}\r\n\r\n`
  connection.write(whole(head, ''))
  if (!request.keepConnection) connection.finish()
})

for (const kind of ['proxyGuards', 'guards'] as const)
  eachAdapter(t, `option ${kind}`, async (t, name) => {
    const peer = await startPeer(doorkeeper)
    t.teardown(() => peer.close())
    const authorizer = { upstream: peer.address, root: '/srv/www' }
    const guard = kind === 'guards' ? { guards: [authorizer] } : { proxyGuards: [{ authorizer }] }
    let runs = 0
    const { app, get } = await startSite(
      t,
      name,
      (req, res) => {
        const control = new URL(req.url ?? '/', 'http://a').searchParams.get('control') ?? ''
        res.setHeader('Cache-Control', control).end(`run ${++runs}`)
      },
      guard,
    )
    const alice = { 'X-Name': 'alice' }
    const bob = { 'X-Name': 'bob' }
    for (const control of ['max-age=60', 'max-age=60,private']) {
      const first = await get(`/?control=${control}`, alice)
      const second = await get(`/?control=${control}`, bob)
      t.not(first.body, second.body, control)
    }
    const shared = '/?control=public,max-age=60'
    const first = await get(shared, alice)
    t.equal((await get(shared, bob)).body, first.body, 'the response says that it is for all')
    t.equal((await get(shared)).status, 403, 'of those whom the guard lets in')
    t.equal(app.asked.length, 5)
  })

t.test('params that depend on the request restrict as guards do', async (t) => {
  let runs = 0
  const env = (request: unknown): Record<string, string> => ({
    USER: String((request as { headers: Record<string, string> }).headers['x-name']),
  })
  const { get } = await startSite(
    t,
    'http',
    (_req, res) => res.setHeader('Cache-Control', 'max-age=60').end(`run ${++runs}`),
    { env },
  )
  t.equal((await get('/', { 'X-Name': 'alice' })).body, 'run 1')
  t.equal((await get('/', { 'X-Name': 'bob' })).body, 'run 2')
})
