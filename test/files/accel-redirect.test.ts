/** X-Accel-Redirect of php-fpm: files of internal locations, and internal scripts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  eachAdapter,
  startAdapter,
} from '../helpers/adapters.ts'
import { fileSite, type Handed, handed, LAST_MODIFIED, LINES } from '../helpers/file-site.ts'
import { bodyOf, serverParams } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const { base, files } = fileSite(t)
  const inside = join(base, 'inside')
  mkdirSync(join(inside, 'app'), { recursive: true })
  const show =
    '<?php header("X-Inner: 1"); header("Cache-Control: no-store"); header("Set-Cookie: inner=1", false);' +
    ' echo "inner ", json_encode([$_SERVER["REQUEST_METHOD"], $_SERVER["SCRIPT_NAME"], $_SERVER["PATH_INFO"] ?? "",' +
    ' $_SERVER["QUERY_STRING"], $_SERVER["REQUEST_URI"], $_SERVER["CONTENT_TYPE"] ?? "", $_SERVER["CONTENT_LENGTH"] ?? "",' +
    ' file_get_contents("php://input")], JSON_UNESCAPED_SLASHES);'
  writeFileSync(join(inside, 'app/show.php'), show)
  writeFileSync(join(inside, 'app/style.css'), 'body {}')
  writeFileSync(
    join(inside, 'app/on.php'),
    '<?php header("X-Accel-Redirect: /app/on.php?" . ((int) $_SERVER["QUERY_STRING"] + 1));',
  )
  const sendOn = `<?php header('X-Accel-Redirect: ' . $_GET['to']); header('Set-Cookie: on=1', false);`
  writeFileSync(join(inside, 'app/to.php'), sendOn)
  writeFileSync(
    join(inside, 'app/file.php'),
    `<?php header('X-Sendfile: ${files}/data'); header_remove('Content-Type');`,
  )

  async function start(t: Test, adapter: AdapterName, options: Partial<AdapterOptions> = {}) {
    const app = await startAdapter(t, adapter, {
      upstream: php.address,
      root: SITE,
      accel: {
        '/protected/': files,
        '/protected/deep': join(files, 'sub'),
        '/app/': { root: inside, static: true, sendfile: { roots: [files] } },
      },
      ...options,
    })
    const send = (uri: string, asked: Handed & { fields?: string[] } = {}) =>
      handed(app.port, [`X-Accel-Redirect: ${uri}`, ...(asked.fields ?? [])], asked)
    return { ...app, send }
  }

  await eachAdapter(t, 'files', async (t, adapter) => {
    const { send, log } = await start(t, adapter)
    const { status, headers, body } = await send('/protected/a.txt')
    t.same([status, body, headers['content-length']], [200, LINES, '1000'])
    t.equal(headers['last-modified'], LAST_MODIFIED)
    t.equal(headers['content-type'], 'text/plain; charset=utf-8')
    t.equal(headers['x-accel-redirect'], undefined)
    t.equal((await send('/protected/deep/b.txt')).body, 'below', 'the longest prefix counts')
    t.equal((await send('/protected/per%2541cent.txt?a=b')).body, 'percent', 'decoded once')
    t.equal((await send('/protected/gr%c3%bc%C3%9f.txt')).body, 'UTF-8')
    t.equal((await send('/protected//./a.txt')).body, LINES)
    const range = await send('/protected/a.txt', { headers: ['Range: bytes=0-9'] })
    t.same([range.status, range.body], [206, LINES.slice(0, 10)])
    const old = await send('/protected/a.txt', { headers: [`If-Modified-Since: ${LAST_MODIFIED}`] })
    t.equal(old.status, 304)
    const head = await send('/protected/a.txt', { method: 'HEAD' })
    t.same([head.status, head.headers['content-length'], head.body], [200, '1000', ''])
    t.strictSame(log, [])
  })

  await eachAdapter(t, 'fields that are kept and dropped as nginx does', async (t, adapter) => {
    const { send } = await start(t, adapter)
    const kept = {
      'Content-Type': 'application/x-own',
      'Content-Disposition': 'attachment',
      'Cache-Control': 'private',
      Expires: 'Tue, 04 Feb 2031 04:05:06 GMT',
      'Set-Cookie': 'a=1',
      'Accept-Ranges': 'none',
    }
    const dropped = {
      ETag: '"own"',
      'Last-Modified': 'Tue, 04 Feb 2003 04:05:06 GMT',
      'Content-Length': '3',
      'Content-Encoding': 'gzip',
      'Content-Language': 'de',
      Vary: 'X',
      Link: '<x>',
      'X-Own': 'gone',
      Location: '/x',
    }
    const fields = Object.entries({ ...kept, ...dropped }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    const { status, headers, body } = await send('/protected/a.txt', { fields, code: 404 })
    t.same([status, body], [200, LINES], 'nor does its status count')
    for (const [name, value] of Object.entries(kept)) t.equal(headers[name.toLowerCase()], value)
    for (const [name, value] of Object.entries(dropped)) t.not(headers[name.toLowerCase()], value)
  })

  await eachAdapter(t, 'what is refused', async (t, adapter) => {
    const { send, log, port } = await start(t, adapter)
    const cases: Array<[status: number, uri: string, reason: string]> = [
      ...[
        '/protected/../outside.txt',
        '/protected/sub/../a.txt',
        '/protected/%2e%2e/outside.txt',
        '/protected/%2E./outside.txt',
        '/protected/..%2foutside.txt',
        '/protected/..?a',
        '/protected/a.txt%00',
        '/protected/a%0ab',
        '/protected/a%zz',
        '/protected/a%5cb',
        'protected/a.txt',
        'http://localhost/protected/a.txt',
        '@protected',
      ].map((uri): [number, string, string] => [404, uri, 'unsafe URI ']),
      [404, '/elsewhere/a.txt', 'is in no location (option accel)'],
      [404, '/protectedX/a.txt', 'is in no location'],
      [404, '/protected/none', 'there is no file'],
      [403, '/protected/link-out.txt', 'does not lie in'],
      [403, '/protected/away/outside.txt', 'does not lie in'],
      [403, '/protected/sub', 'no regular file'],
      [403, '/protected/', 'does not lie in'],
      [404, '/app/none.php', 'there is nothing at'],
      [404, '/app/', 'there is nothing at'],
    ]
    for (const [status, uri, reason] of cases) {
      log.length = 0
      const response = await send(uri, { code: 404 })
      t.equal(response.status, status, uri)
      t.notMatch(response.text, /SECRET|body of the script/)
      t.notMatch(response.text, base)
      t.equal(log.length, 1)
      t.match(log[0], `x-accel-redirect of ${SITE}/fields.php refused: `)
      t.match(log[0], reason)
    }
    t.equal((await rawGet(port, '/protected/a.txt')).status, 404, 'not from outside')
    t.equal((await rawGet(port, '/app/show.php')).status, 404)
  })

  await eachAdapter(t, 'internal scripts', async (t, adapter) => {
    const { send, port, log } = await start(t, adapter)
    const told = async (uri: string, asked: Handed & { fields?: string[] } = {}) => {
      const response = await send(uri, asked)
      const body = bodyOf(response)
      t.match(body, /^inner \[/)
      return { ...response, told: JSON.parse(body.slice(6)) as string[] }
    }
    const plain = await told('/app/show.php/more?x=%20y', {
      fields: [
        'Set-Cookie: outer=1',
        'Cache-Control: private',
        'Content-Disposition: inline',
        'X-Outer: 1',
      ],
      code: 403,
    })
    t.equal(plain.status, 200)
    const [method, script, pathInfo, query, uri] = plain.told
    t.strictSame([method, script, pathInfo, query], ['GET', '/app/show.php', '/more', 'x=%20y'])
    t.match(uri, /^\/fields\.php\?f/, 'REQUEST_URI stays, as with nginx')
    t.equal(plain.headers['set-cookie'], 'outer=1\ninner=1')
    t.equal(plain.headers['cache-control'], 'no-store', 'what both say, the inner one says')
    t.equal(plain.headers['content-disposition'], 'inline')
    t.equal(plain.headers['x-inner'], '1')
    t.equal(plain.headers['x-outer'], undefined)

    const headers = ['Content-Length: 5', 'Content-Type: text/plain']
    const head = `POST /fields.php?f[]=X-Accel-Redirect:/app/show.php HTTP/1.1`
    const post = await rawRequest(
      port,
      [head, 'Host: localhost', 'Connection: close', ...headers, '', 'hello'].join('\r\n'),
    )
    t.match(bodyOf(post), /^inner \["GET","\/app\/show\.php","","",".*","","",""\]$/)

    t.equal((await send('/app/show.php', { method: 'HEAD' })).body, '')
    t.equal((await send('/app/style.css')).body, 'body {}', 'a static file of the route')
    t.equal((await send('/app/file.php')).body, 'no ending', 'which may send files on its part')
    const twice = await send('/app/to.php?to=/protected/a.txt')
    t.same([twice.body, twice.headers['set-cookie']], [LINES, 'on=1'])
    t.strictSame(log, [])
  })

  await eachAdapter(t, 'a chain without an end', async (t, adapter) => {
    const { send, log, port } = await start(t, adapter)
    const { status, text } = await send('/app/on.php?1')
    t.equal(status, 500)
    t.notMatch(text, base)
    t.equal(log.length, 1)
    const chain = ['/fields.php', ...Array(11).fill('/app/on.php')].join(' -> ')
    t.match(log[0], `applications sent a request on too often: ${chain}`)
    t.equal((await rawGet(port, '/fields.php')).status, 200)
  })

  await eachAdapter(t, 'an internal application that fails', async (t, adapter) => {
    const { send, log } = await start(t, adapter, {
      accel: { '/app/': { upstream: '127.0.0.1:1', backendType: 'generic' } },
    })
    t.equal((await send('/app/x')).status, 502)
    t.equal(log.length, 1)
    t.match(log[0], '127.0.0.1:1')
  })

  await eachAdapter(t, 'an internal application that is not PHP', async (t, adapter) => {
    const { port } = await start(t, adapter, {
      accel: { '/app/': { checkLocal: false, frontController: '/server.php' } },
    })
    const params = await serverParams(port, '/fields.php?f[]=X-Accel-Redirect:%20/app/some/where')
    t.match(params, { SCRIPT_FILENAME: `${SITE}/server.php`, REQUEST_METHOD: 'GET' })
  })
})
