/** Local redirects (RFC 3875 §6.2.2): a response that is nothing but `Location: /path` is run inside. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  eachAdapter,
  startAdapter,
} from '../helpers/adapters.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  type PeerRequest,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'

/** An application whose scripts answer with a head each; whatever else is asked tells what it was told. */
async function application(t: Test, heads: Record<string, string>): Promise<Peer> {
  const answer = ({ params }: PeerRequest): string => {
    const head = heads[params.SCRIPT_NAME ?? '']
    if (head !== undefined) return head
    const {
      REQUEST_METHOD,
      SCRIPT_NAME,
      PATH_INFO = '',
      QUERY_STRING,
      CONTENT_LENGTH = '-',
    } = params
    const told = [REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH].join(' ')
    return `Content-Type: text/plain\nX-Uri: ${params.REQUEST_URI}\n\n${told}`
  }
  const peer = await startPeer(
    eachRequest(async (request, connection) => {
      await request.stdin()
      connection.write(stdoutRecords(answer(request)), endRecord())
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => peer.close())
  return peer
}

const SCRIPTS = ['to.php', 'loop.php', 'a.php', 'new/page.php']

function site(t: Test): string {
  const root = t.testdir({ 'style.css': 'body {}', pages: { 'index.php': '' } })
  mkdirSync(join(root, 'new'))
  for (const name of SCRIPTS) writeFileSync(join(root, name), '')
  return root
}

interface Asked {
  head: string
  options?: Partial<AdapterOptions>
  method?: string
  body?: string
  path?: string
}

/** What the client gets when /to.php answers with a head. */
async function ask(t: Test, adapter: AdapterName, asked: Asked) {
  const { head, options, method = 'GET', body = '', path = '/to.php?old=1' } = asked
  const peer = await application(t, { '/to.php': head, '/mount/to.php': head })
  const root = site(t)
  const all = { upstream: peer.address, root, static: true, ...options }
  const { port, log } = await startAdapter(t, adapter, all)
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
  const response = await rawRequest(
    port,
    `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${length}\r\n${body}`,
  )
  return { ...response, log, asked: peer.requests.length }
}

await eachAdapter(t, 'is run inside, as a GET without a body', async (t, adapter) => {
  const head = 'Location: /new/page.php/info?a=%20b\n\n'
  const page = await ask(t, adapter, { head })
  t.equal(page.status, 200)
  t.equal(page.body, 'GET /new/page.php /info a=%20b -')
  t.equal(page.headers['x-uri'], '/to.php?old=1', 'REQUEST_URI is what the client asked for')
  t.notOk(page.headers.location)
  const posted = await ask(t, adapter, { head, method: 'POST', body: 'x=1' })
  t.equal(posted.body, 'GET /new/page.php /info a=%20b -')
  const headOnly = await ask(t, adapter, { head, method: 'HEAD' })
  t.equal(headOnly.status, 200)
  t.equal(headOnly.body, '')
})

await eachAdapter(t, 'leads to files and directories as well', async (t, adapter) => {
  const file = await ask(t, adapter, {
    head: 'Location: /style.css\n\n',
    method: 'POST',
    body: 'x',
  })
  t.equal(file.status, 200)
  t.equal(file.body, 'body {}')
  const directory = await ask(t, adapter, { head: 'Location: /pages?q\n\n' })
  t.equal(directory.status, 301)
  t.equal(directory.headers.location, '/pages/?q')
  const missing = await ask(t, adapter, { head: 'Location: /nothing/there\n\n' })
  t.equal(missing.status, 404)
})

for (const [what, head, status, location] of [
  ['with other fields', 'Location: /a.php\nX-Other: 1\n\n', 302, '/a.php'],
  ['with a status', 'Status: 302\nLocation: /a.php\n\n', 302, '/a.php'],
  ['with another status', 'Location: /a.php\nStatus: 303 See Other\n\n', 303, '/a.php'],
  ['with a body and its type', 'Location: /a.php\nContent-Type: text/plain\n\nhere', 302, '/a.php'],
  ['relative', 'Location: a.php\n\n', 302, 'a.php'],
  ['absolute', 'Location: http://a/a.php\n\n', 302, 'http://a/a.php'],
  ['another host', 'Location: //evil.example/a.php\n\n', 302, '//evil.example/a.php'],
  ['above the root', 'Location: /../a.php\n\n', 302, '/../a.php'],
  ['with a fragment', 'Location: /a.php#there\n\n', 302, '/a.php#there'],
] as const)
  await eachAdapter(t, `goes to the client: ${what}`, async (t, adapter) => {
    const answer = await ask(t, adapter, { head })
    t.equal(answer.status, status)
    t.equal(answer.headers.location, location)
    t.equal(answer.asked, 1)
  })

await eachAdapter(t, 'localRedirect: false leaves it to the client', async (t, adapter) => {
  const options = { localRedirect: false }
  const answer = await ask(t, adapter, { head: 'Location: /a.php\n\n', options })
  t.equal(answer.status, 302)
  t.equal(answer.headers.location, '/a.php')
})

await eachAdapter(
  t,
  'outside of what the gateway serves it goes to the client',
  async (t, adapter) => {
    const options = { exclude: ['/new'] }
    const answer = await ask(t, adapter, { head: 'Location: /new/page.php\n\n', options })
    t.equal(answer.status, 302)
    if (adapter === 'http') return
    const mounted = { prefix: '/mount' }
    const path = '/mount/to.php'
    const out = await ask(t, adapter, { head: 'Location: /a.php\n\n', options: mounted, path })
    t.equal(out.status, 302)
    const head = 'Location: /mount/new/page.php?q\n\n'
    const inside = await ask(t, adapter, { head, options: mounted, path })
    t.equal(inside.body, 'GET /mount/new/page.php  q -')
  },
)

await eachAdapter(t, 'more than ten in a row are a loop', async (t, adapter) => {
  const upstream = (await application(t, { '/loop.php': 'Location: /loop.php?again\n\n' })).address
  const { port, log } = await startAdapter(t, adapter, { upstream, root: site(t) })
  const answer = await rawRequest(
    port,
    'GET /loop.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  t.equal(answer.status, 500)
  const line = log.find((each) => each.includes('too often'))
  t.equal(line?.split('/loop.php').length, 13, 'the chain is in the log')
  t.notMatch(answer.text, 'too often')
})
