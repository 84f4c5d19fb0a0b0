/** The option `static` as an object, and routes by regular expression. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, type Peer, response, startPeer } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'

nothingEscapes()

async function site(t: Test): Promise<{ root: string; application: Peer }> {
  const root = mkdtempSync(join(tmpdir(), 'static-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'img'))
  for (const name of ['page.html', 'style.css', 'img/a.png', 'a.php', 'img/b.php'])
    writeFileSync(join(root, name), 'x')
  const application = await startPeer(
    eachRequest((request, connection) => {
      connection.write(response(`ran ${request.params.SCRIPT_NAME}`), endRecord())
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => application.close())
  return { root, application }
}

await eachAdapter(
  t,
  'no charset that the file does not name, and no caching by default',
  async (t, name) => {
    const { root, application } = await site(t)
    const app = await startAdapter(t, name, { upstream: application.address, root, static: true })
    const { headers } = await rawGet(app.port, '/page.html')
    t.equal(headers['content-type'], 'text/html')
    t.equal(headers['cache-control'], 'public, max-age=0')
  },
)

await eachAdapter(t, 'maxAge, immutable, charset, setHeaders', async (t, name) => {
  const { root, application } = await site(t)
  const app = await startAdapter(t, name, {
    upstream: application.address,
    root,
    static: {
      maxAge: 3_600_000,
      immutable: true,
      charset: 'iso-8859-1',
      setHeaders: (path) =>
        path.startsWith('/img/') ? { 'Cache-Control': 'no-store', 'X-Path': path } : {},
    },
  })
  const page = await rawGet(app.port, '/page.html')
  t.equal(page.headers['content-type'], 'text/html; charset=iso-8859-1')
  t.equal(page.headers['cache-control'], 'public, max-age=3600, immutable')
  const image = await rawGet(app.port, '/img/a.png')
  t.equal(image.headers['content-type'], 'image/png')
  t.equal(image.headers['cache-control'], 'no-store')
  t.equal(image.headers['x-path'], '/img/a.png')
})

await eachAdapter(t, 'what setHeaders throws fails that request', async (t, name) => {
  const { root, application } = await site(t)
  const app = await startAdapter(t, name, {
    upstream: application.address,
    root,
    static: {
      setHeaders: (path) => {
        if (path === '/page.html') throw new Error('thrown by setHeaders')
        return {}
      },
    },
  })
  t.equal((await rawGet(app.port, '/page.html')).status, 500)
  t.equal((await rawGet(app.port, '/style.css')).status, 200)
})

await eachAdapter(t, 'routes by regular expression, on the normalized path', async (t, name) => {
  const { root, application } = await site(t)
  const app = await startAdapter(t, name, {
    upstream: application.address,
    root,
    routes: [
      { match: /^\/img\/.*\.(php|png)$/, static: true, env: { ROUTE: 'images' } },
      { match: /\.php$/i, env: { ROUTE: 'scripts' } },
    ],
  })
  for (const path of ['/img/b.php', '/%69mg/b.php', '/x/../img//b.php'])
    t.equal((await rawGet(app.port, path)).status, 200, path)
  t.equal((await rawGet(app.port, '/img/a.png')).status, 200)
  t.equal((await rawGet(app.port, '/a.php')).body.includes('ran /a.php'), true)
  t.equal((await rawGet(app.port, '/page.html')).status, 404)
  t.strictSame(
    application.requests.map(({ params }) => params.ROUTE),
    ['images', 'images', 'images', 'scripts'],
  )
  // More than the bound: no match, whatever the expression would take.
  t.equal((await rawGet(app.port, `/img/${'a'.repeat(3000)}.php`)).status, 404)
})

t.test('expressions with a state of their own are refused', (t) => {
  const make =
    (match: RegExp): (() => unknown) =>
    () =>
      createGateway({
        upstream: 'fcgi://127.0.0.1:9',
        checkLocal: false,
        routes: [{ match }],
      } as GatewayOptions)
  for (const match of [/a/g, /a/y])
    t.throws(make(match), { code: 'FCGI_OPTION', message: /flags g and y/ })
  t.doesNotThrow(make(/a/iu))
  t.end()
})
