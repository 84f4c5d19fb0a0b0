/** The private tree that is served after a yes (lighttpd docroot). */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fastcgiAuthorizer } from '@fastcgi/fastify'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { type GuardScript, guarded, NO, says, YES } from '../helpers/guarded.ts'
import { startPeer } from '../helpers/scripted-peer.ts'

// Express prints every failure once more, with all of its causes.
t.capture(console, 'error')

const FILES: Readonly<Record<string, string>> = {
  'docs/a.txt': '0123456789',
  'docs/index.html': 'index',
  'docs/gr\u00fc\u00df.txt': 'UTF-8',
  'docs/.hidden': 'hidden',
  'docs/.git/config': 'hidden',
  'docs/config.php': '<?php $password = "sesame";',
  'docs/config.PHP~': '<?php $password = "sesame";',
  'docs/lib.inc': '<?php $password = "sesame";',
  'docs/.well-known/x.txt': 'well known',
  'secret.txt': 'outside',
  'docs-too/x.txt': 'outside',
}

function tree(t: Test): string {
  const base = t.testdir({})
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(base, name)), { recursive: true })
    writeFileSync(join(base, name), content)
  }
  symlinkSync(join(base, 'secret.txt'), join(base, 'docs/out.txt'))
  symlinkSync(base, join(base, 'docs/away'))
  symlinkSync('a.txt', join(base, 'docs/in.txt'))
  return join(base, 'docs')
}

await eachAdapter(t, 'files after a yes', async (t, adapter) => {
  const docroot = tree(t)
  const { get, send, asked, behind } = await guarded(t, adapter, [
    {
      does: says('Status: 200\r\nContent-Type: text/evil\r\nETag: "evil"\r\n\r\n', 'evil'),
      docroot,
    },
  ])
  const whole = await get('/a.txt')
  t.equal(whole.status, 200)
  t.equal(whole.body, '0123456789')
  t.match(whole.headers['content-type'], /^text\/plain/)
  t.match(whole.headers['cache-control'], 'private')
  t.notMatch(whole.text, /evil/)
  const etag = whole.headers.etag ?? ''
  const modified = whole.headers['last-modified'] ?? ''

  const range = await get('/a.txt', ['Range: bytes=2-4'])
  t.equal(range.status, 206)
  t.equal(range.body, '234')
  t.equal(range.headers['content-range'], 'bytes 2-4/10')
  t.equal((await get('/a.txt', ['Range: bytes=20-'])).status, 416)
  t.equal((await get('/a.txt', [`If-None-Match: ${etag}`])).status, 304)
  t.equal((await get('/a.txt', [`If-Modified-Since: ${modified}`])).status, 304)
  t.equal((await get('/a.txt', ['If-Match: "other"'])).status, 412)
  const head = await send('HEAD /a.txt')
  t.match(head, { status: 200, body: '', headers: { 'content-length': '10' } })
  t.equal((await get('/gr%c3%bc%c3%9f.txt')).body, 'UTF-8')
  t.equal((await get('/in.txt')).body, '0123456789', 'a symlink that stays inside')
  t.equal((await get('/.well-known/x.txt')).body, 'well known')
  t.equal((await get('/x/../a.txt')).body, '0123456789')
  t.equal(behind.requests.length, 0)
  t.equal(asked[0]?.requests.length, 11, 'every one of them was asked about')
})

/** What is not for anybody, and never comes of the docroot. */
const FORBIDDEN = [
  '/.hidden',
  '/%2ehidden',
  '/x/../.hidden',
  '/.git/config',
  '/config.php',
  '/config.ph%70',
  '/config.PHP~',
  '/lib.inc',
  '/out.txt',
  '/away/secret.txt',
  '/../secret.txt',
  '/%2e%2e/secret.txt',
  '/..%2fsecret.txt',
  '/../docs-too/x.txt',
  '//../secret.txt',
  '/a.txt/../../secret.txt',
  '/a.txt%00.html',
  '/..\\secret.txt',
  '/',
  '/.git/',
]

await eachAdapter(t, 'what is never served', async (t, adapter) => {
  const { get } = await guarded(t, adapter, [{ docroot: tree(t) }])
  for (const target of FORBIDDEN) {
    const { status, text } = await get(target)
    t.notMatch(text, /hidden|sesame|outside/, target)
    // What is none of the docroot's goes on to the application.
    t.ok(status === 200 ? text.endsWith('application') : [400, 403, 404].includes(status), target)
  }
})

await eachAdapter(t, 'no file without a yes', async (t, adapter) => {
  const docroot = tree(t)
  const guards: Array<[GuardScript[], number]> = [
    [[{ does: NO, docroot }], 403],
    [[{ upstream: 'unix:/nowhere/s', docroot }], 503],
    [[{ docroot }, { does: NO }], 403],
    [[{ does: NO, docroot, authoritative: false }, {}], 200],
    [[{ docroot, match: '/other/' }], 200],
  ]
  for (const [list, status] of guards) {
    const answer = await (await guarded(t, adapter, list)).get('/a.txt')
    t.equal(answer.status, status)
    t.notMatch(answer.text, '0123456789')
  }
})

await eachAdapter(t, 'what is not there, and other methods, go on', async (t, adapter) => {
  const { get, send, behind } = await guarded(t, adapter, [{ docroot: tree(t) }])
  t.equal((await get('/missing.txt')).body, 'application')
  t.equal((await get('/a.txt/more')).body, 'application')
  t.equal((await send('POST /a.txt', ['Content-Length: 2'], 'hi')).body, 'application')
  t.equal((await behind.requests[2]?.stdin())?.toString(), 'hi')
})

t.test('Fastify: a scope of its own, with a prefix', async (t) => {
  const peer = await startPeer(YES)
  const app = Fastify()
  t.teardown(async () => {
    await app.close()
    await peer.close()
  })
  app.register(fastcgiAuthorizer, { upstream: peer.address, docroot: tree(t), prefix: '/private' })
  app.get('/open', async () => 'open')
  const get = async (url: string) => await app.inject(url)
  t.match(await get('/private/a.txt'), { statusCode: 200, body: '0123456789' })
  for (const url of ['/private/.hidden', '/private/', '/private/missing', '/a.txt'])
    t.equal((await get(url)).statusCode, 404, url)
  t.equal(peer.requests.length, 4)
  t.equal((await get('/open')).body, 'open')
  t.equal(peer.requests.length, 4, 'the rest of the app is not guarded')
})
