/** Balancers behind the gateway: what HTTP has to say to them, and what comes of it. */
import { Balancer } from '@fastcgi/client'
import t, { type Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  eachAdapter,
  startAdapter,
} from '../helpers/adapters.ts'
import { KEPT } from '../helpers/kept.ts'
import { type RawResponse, rawGet, rawRequest } from '../helpers/raw-http.ts'
import { type Peer, type PeerRequest, startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

/** Answers with the params that the balancer has added. */
function balancerParams({ params }: PeerRequest): string {
  const own = Object.entries(params).filter(([name]) => name.startsWith('BALANCER_'))
  return own.map(([name, value]) => `${name}=${value}`).join('\n')
}

async function twoPeers(t: Test): Promise<[Peer, Peer]> {
  const started = [
    await startPeer(wellBehaved(balancerParams)),
    await startPeer(wellBehaved(balancerParams)),
  ]
  for (const peer of started) t.teardown(() => peer.close())
  return started as [Peer, Peer]
}

type Get = (target?: string, fields?: string[]) => Promise<RawResponse>

async function front(t: Test, adapter: AdapterName, options: AdapterOptions): Promise<Get> {
  const app = await startAdapter(t, adapter, { checkLocal: false, root: '/srv', ...options })
  return (target = '/x.php', fields = []) => rawGet(app.port, target, fields)
}

function linesOf({ body }: RawResponse): string[] {
  return body.split(/\r?\n/).filter((line) => line.startsWith('BALANCER_'))
}

eachAdapter(t, 'sessions stick by cookie and by path parameter', async (t, adapter) => {
  const [a, b] = await twoPeers(t)
  const members = [
    { address: a.address, name: 'A', route: 'a' },
    { address: b.address, name: 'B', route: 'b' },
  ]
  const get = await front(t, adapter, {
    upstream: { name: 'shop', members, stickySession: 'ROUTE' },
  })
  const sticky = [
    'BALANCER_NAME=balancer://shop',
    'BALANCER_WORKER_NAME=B',
    'BALANCER_WORKER_ROUTE=b',
    'BALANCER_SESSION_STICKY=ROUTE',
    'BALANCER_SESSION_ROUTE=b',
  ]
  for (let n = 0; n < 5; n++) {
    const fields = ['Cookie: other=1.a; ROUTE=session.b']
    t.strictSame(linesOf(await get('/x.php', fields)), sticky)
    t.strictSame(linesOf(await get('/x.php;ROUTE=session.b', ['Cookie: ROUTE=s.a'])), sticky)
    t.strictSame(linesOf(await get('/x.php?q=1&ROUTE=session.b')), sticky)
  }
  t.equal(a.requests.length, 0)
  await b.close()
  const moved = linesOf(await get('/x.php', ['Cookie: ROUTE=session.b']))
  t.ok(moved.includes('BALANCER_WORKER_NAME=A'), 'another member takes it')
  t.ok(moved.includes('BALANCER_ROUTE_CHANGED=1'))
})

eachAdapter(t, 'the client cannot speak for the balancer', async (t, adapter) => {
  const [a, b] = await twoPeers(t)
  const get = await front(t, adapter, { upstream: [a.address, b.address] })
  const lines = linesOf(await get('/x.php', ['BALANCER-NAME: x', 'BALANCER_NAME: x']))
  t.equal(lines.filter((line) => line.startsWith('BALANCER_NAME=')).length, 1)
  t.ok(lines.includes('BALANCER_NAME=balancer://default'))
})

eachAdapter(t, 'a member that is gone costs no request', async (t, adapter) => {
  const [a, b] = await twoPeers(t)
  const app = await startAdapter(t, adapter, {
    checkLocal: false,
    root: '/srv',
    upstream: [a.address, b.address],
  })
  await a.close()
  for (let n = 0; n < 6; n++) {
    t.equal((await rawGet(app.port, '/x.php')).status, 200)
    const head = `POST /x.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\n`
    t.equal((await rawRequest(app.port, `${head}hello`)).status, 200)
  }
  t.ok(b.requests.every((request) => request.stdinEnded))
  await b.close()
  const refused = await rawGet(app.port, '/x.php')
  t.equal(refused.status, 502)
  t.notOk(refused.body.includes(b.address), 'addresses are for the log')
})

eachAdapter(t, 'nobody takes requests: 503 and Retry-After at once', async (t, adapter) => {
  const [a] = await twoPeers(t)
  const get = await front(t, adapter, {
    upstream: { members: [{ address: a.address, status: 'disabled' }] },
  })
  t.match(await get(), { status: 503, headers: { 'retry-after': '1' } })
})

eachAdapter(t, 'one cluster for several routes, made here or elsewhere', async (t, adapter) => {
  const [a, b] = await twoPeers(t)
  const shared = new Balancer({ name: 'shared', members: [b.address] })
  t.teardown(() => shared.close())
  const app = await startAdapter(t, adapter, {
    checkLocal: false,
    root: '/srv',
    ...KEPT,
    clusters: { own: { members: [a.address] }, shared },
    routes: [
      { match: '/a/', upstream: 'balancer://own' },
      { match: '/b/', upstream: 'balancer://own/' },
      { match: '/', upstream: 'balancer://shared' },
    ],
  })
  for (const path of ['/a/x.php', '/b/x.php', '/c/x.php']) await rawGet(app.port, path)
  t.strictSame([a.requests.length, b.requests.length], [2, 1])
  t.equal(a.connections.length, 1, 'routes share connections')
  await app.close()
  t.match(await shared.request({ params: { REQUEST_METHOD: 'GET' } }), { status: 200 })
})

t.test('a cluster nobody has named', async (t) => {
  const options = { upstream: 'balancer://mian', clusters: { main: { members: ['h:1'] } } }
  await t.rejects(startAdapter(t, 'http', { root: '/', checkLocal: false, ...options }), {
    code: 'FCGI_OPTION',
    message: /no cluster mian \(option clusters\); there are: main/,
  })
})
