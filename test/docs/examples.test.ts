/** The example, as it is: under both frameworks, and as `npm start` runs it. */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastCGIServer } from '@fastcgi/application'
import t, { type Test } from 'tap'
import { findPhpFpm, startPhpFpm, startPhpWasm } from '#php'
import { needs } from '../helpers/require-program.ts'
import { until, within } from '../helpers/wait.ts'

const PHP_FPM = needs('php-fpm', findPhpFpm())
const EXAMPLES = new URL('../../../examples/', import.meta.url)
const ROOT = fileURLToPath(new URL('legacy-php/site', EXAMPLES))

interface AppOptions {
  upstream: string
  root: string
}
interface FastifyApp {
  listen(options: { host: string; port: number }): Promise<string>
  close(): Promise<void>
}
type ExpressApp = RequestListener & { locals: { close(): Promise<void> } }

/** Plain JavaScript, so its types are written here. */
async function load<App>(path: string): Promise<(options: AppOptions) => App> {
  return (await import(new URL(path, EXAMPLES).href)).createApp
}

const START: Record<string, (t: Test, options: AppOptions) => Promise<string>> = {
  async fastify(t, options) {
    const createApp = await load<FastifyApp>('legacy-php/fastify.js')
    const app = createApp(options)
    t.teardown(() => app.close())
    return app.listen({ host: '127.0.0.1', port: 0 })
  },
  async express(t, options) {
    const createApp = await load<ExpressApp>('legacy-php/express.js')
    const app = createApp(options)
    const server = createServer(app).listen(0, '127.0.0.1')
    t.teardown(async () => {
      server.closeAllConnections()
      server.close()
      await app.locals.close()
    })
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  },
}

/** What runs the pages, and what they say of it. */
interface Backend {
  address: string
  stop(): Promise<void>
  cookie: RegExp
  notFound: string
  report: RegExp
}

const BACKENDS: Record<string, { needs: { skip: string | false }; start(): Promise<Backend> }> = {
  'legacy-php': {
    needs: PHP_FPM,
    async start() {
      const php = await startPhpFpm({ children: 2 })
      return {
        address: php.address,
        stop: () => php.stop(),
        cookie: /^PHPSESSID=.*path=\/legacy\/.*HttpOnly/i,
        notFound: 'PHP knows no such page.',
        report: /PHP [\d.]+.*\(fpm-fcgi\), process \d+/,
      }
    },
  },
  'legacy-php compiled to WebAssembly': {
    needs: { skip: false },
    async start() {
      const php = await startPhpWasm({ children: 2 })
      return {
        address: php.address,
        stop: () => php.stop(),
        cookie: /^PHPSESSID=.*path=\/legacy\/.*HttpOnly/i,
        notFound: 'PHP knows no such page.',
        report: /PHP [\d.]+.*\(cgi-fcgi\), process \d+/,
      }
    },
  },
  embedded: {
    needs: { skip: false },
    async start() {
      const { createApplication } = await import(new URL('embedded/application.js', EXAMPLES).href)
      const server: FastCGIServer = createApplication()
      server.listen({ host: '127.0.0.1', port: 0 })
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      return {
        address: `127.0.0.1:${port}`,
        async stop() {
          server.close()
          server.closeAllConnections()
          await once(server, 'close')
        },
        cookie: /^NODESESSID=.*path=\/legacy\/.*HttpOnly/i,
        notFound: 'The application knows no such page.',
        report: /Node [\d.]+, process \d+/,
      }
    },
  },
}

for (const [site, { needs, start: startBackend }] of Object.entries(BACKENDS))
  for (const [name, start] of Object.entries(START))
    t.test(`${site} under ${name}`, needs, async (t) => {
      const backend = await startBackend()
      t.teardown(() => backend.stop())
      const url = await start(t, { upstream: backend.address, root: ROOT })
      await t.test('guest book: a session over several requests', (t) => guestBook(t, url, backend))
      await t.test('upload', (t) => upload(t, url))
      await t.test('download', (t) => download(t, url))
      await t.test('JSON endpoint', (t) => json(t, url, site))
      await t.test('pretty URLs and static files', (t) => pages(t, url, backend))
      await t.test('routes of Node', (t) => nodeRoutes(t, url, name, backend))
    })

async function guestBook(t: Test, url: string, { cookie }: Backend): Promise<void> {
  const page = `${url}/legacy/guestbook.php`
  const first = await fetch(page)
  t.match(await first.text(), 'Visits in this session: 1')
  const setCookie = first.headers.getSetCookie()
  t.match(setCookie, [cookie])
  const headers = { cookie: setCookie[0]?.split(';')[0] ?? '' }

  const body = new URLSearchParams({ name: 'Zoë & co', message: 'two\nlines <b>' })
  const posted = await fetch(page, { method: 'POST', body, headers, redirect: 'manual' })
  t.equal(posted.status, 303)
  t.equal(posted.headers.get('location'), '/legacy/guestbook.php')

  const again = await (await fetch(page, { headers })).text()
  t.match(again, 'Visits in this session: 2')
  t.match(again, 'Zoë &amp; co')
  t.match(again, 'lines &lt;b&gt;')
  t.match(await (await fetch(page)).text(), 'Visits in this session: 1', 'another visitor')
}

async function upload(t: Test, url: string): Promise<void> {
  const page = `${url}/legacy/upload.php`
  const content = randomBytes(300_000)
  const body = new FormData()
  body.set('file', new Blob([content]), 'photo.jpg')
  const response = await fetch(page, { method: 'POST', body })
  const sha1 = createHash('sha1').update(content).digest('hex')
  t.equal(response.status, 200)
  t.match(await response.text(), `photo.jpg: 300000 bytes, SHA-1 ${sha1}`)

  const empty = await fetch(page, { method: 'POST', body: new FormData() })
  t.equal(empty.status, 400)
  t.match(await empty.text(), 'No file arrived.')
}

async function download(t: Test, url: string): Promise<void> {
  const response = await fetch(`${url}/legacy/download.php?rows=100000`)
  t.match(response.headers.get('content-disposition'), 'squares.csv')
  const lines = (await response.text()).split('\n')
  t.equal(lines.length, 100_002)
  t.equal(lines[100_000], '100000,10000000000')
}

async function json(t: Test, url: string, site: string): Promise<void> {
  const page = `${url}/legacy/api.php`
  const got = await fetch(`${page}?a[]=1`)
  t.match(got.headers.get('content-type'), 'application/json')
  // What PHP makes of brackets is PHP's.
  const query = site === 'embedded' ? { 'a[]': '1' } : { a: ['1'] }
  t.match(await got.json(), { uri: '/legacy/api.php?a[]=1', query })

  const headers = { 'content-type': 'application/json' }
  const posted = await fetch(page, { method: 'POST', headers, body: '{"é": [1]}' })
  t.equal(posted.status, 201)
  t.same(await posted.json(), { received: { é: [1] }, bytes: 11 })

  const bad = await fetch(page, { method: 'POST', headers, body: '{' })
  t.equal(bad.status, 400)
  const put = await fetch(page, { method: 'PUT' })
  t.equal(put.status, 405)
  t.equal(put.headers.get('allow'), 'GET, HEAD, POST')
}

async function pages(t: Test, url: string, { notFound }: Backend): Promise<void> {
  const expected: ReadonlyArray<readonly [string, number, string]> = [
    ['/legacy/', 200, 'href="/legacy/articles/hello"'],
    ['/legacy', 200, 'A legacy site'],
    ['/legacy/articles/hello', 200, 'as old as PHP &amp; runs'],
    ['/legacy/articles/none', 404, notFound],
    ['/legacy/no/such/page', 404, notFound],
    ['/legacy/article.php/2026/hello', 200, '<small>2026</small>'],
    ['/legacy/article.php/2025/hello', 404, notFound],
    ['/legacy/style.css', 200, '{'],
  ]
  for (const [path, status, text] of expected) {
    const response = await fetch(url + path)
    t.equal(response.status, status, path)
    t.match(await response.text(), text)
  }
  const lib = await fetch(`${url}/legacy/../lib/page.php`)
  t.notMatch(await lib.text(), 'function page_start', 'what is outside of the root stays there')
}

async function nodeRoutes(t: Test, url: string, name: string, backend: Backend): Promise<void> {
  t.match(await (await fetch(url)).text(), 'href="/legacy/"')
  t.same(await (await fetch(`${url}/api/hello`)).json(), { hello: 'from Node' })
  const report = await fetch(`${url}/report`)
  if (name === 'express') {
    t.equal(report.status, 404, 'only in the Fastify example')
    return
  }
  const text = await report.text()
  t.match(text, backend.report)
  t.match(text, 'Asked for by GET /report')
}

/** Process ids of a process's children, and of theirs. */
function descendants(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  const children = existsSync(file) ? readFileSync(file, 'latin1').split(' ').filter(Boolean) : []
  return children.flatMap((child) => [Number(child), ...descendants(Number(child))])
}

function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
}

for (const [option, processes, says] of [
  ['--fastify', 3, ''],
  ['--express', 3, ''],
  ['--wasm', 1, 'PHP compiled to WebAssembly runs the pages'],
  ['--embedded', 0, 'a FastCGI application in Node answers in its place'],
] as const)
  t.test(
    `node examples/start.js ${option}: leaves nothing behind`,
    processes < 3 ? {} : PHP_FPM,
    async (t) => {
      const temporary = mkdtempSync(join(tmpdir(), 'start-'))
      t.teardown(() => rmSync(temporary, { recursive: true, force: true }))
      // Without tap's loader: it would change what signals do.
      const env = {
        ...process.env,
        NODE_OPTIONS: '',
        NODE_V8_COVERAGE: '',
        HOST: '127.0.0.1',
        PORT: '0',
        TMPDIR: temporary,
      }
      const file = fileURLToPath(new URL('start.js', EXAMPLES))
      const child = spawn(process.execPath, [file, option], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.teardown(() => child.kill('SIGKILL'))
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text
      })
      const found = () => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
      await until('its address', () => found() !== undefined)
      const url = found()
      t.ok(output.includes(says), output)
      t.match(await (await fetch(`${url}/legacy/`)).text(), 'A legacy site')

      const left = descendants(child.pid ?? 0)
      if (processes === 0) t.equal(left.length, 0, 'no other process')
      else if (process.platform === 'linux')
        t.ok(left.length >= processes, 'PHP and its workers run')
      child.kill('SIGTERM')
      t.same(await within('the exit', once(child, 'close')), [0, null])
      await until('all processes to end', () => !left.some(runs))
      t.same(
        readdirSync(temporary).filter((name) => name.startsWith('php-')),
        [],
      )
    },
  )
