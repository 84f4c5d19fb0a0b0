/** X-Sendfile and X-LIGHTTPD-send-file of php-fpm: what is sent in the place of the script's body, byte by byte. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  eachAdapter,
  startAdapter,
} from '../helpers/adapters.ts'
import { fileSite, type Handed, handed, LAST_MODIFIED, LINES } from '../helpers/file-site.ts'
import { serverParams } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import type { RawResponse } from '../helpers/raw-http.ts'

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const { base, files } = fileSite(t)

  async function start(t: Test, adapter: AdapterName, options: Partial<AdapterOptions> = {}) {
    const sendfile = { roots: [files] }
    const app = await startAdapter(t, adapter, {
      upstream: php.address,
      root: SITE,
      sendfile,
      ...options,
    })
    const send = (path: string, asked: Handed & { fields?: string[] } = {}) =>
      handed(app.port, [`X-Sendfile: ${path}`, ...(asked.fields ?? [])], asked)
    return { ...app, send }
  }

  await eachAdapter(t, 'a whole file', async (t, adapter) => {
    const { port, send, log } = await start(t, adapter)
    const response = await send(join(files, 'a.txt'))
    isFile(t, response, LINES)
    t.equal(response.headers['content-type'], 'text/plain; charset=utf-8')
    t.equal(response.headers['last-modified'], LAST_MODIFIED)
    t.equal(response.headers['accept-ranges'], 'bytes')
    t.match(response.headers.etag, /^"3e8-[0-9a-f]+"$/)
    t.equal(response.headers['x-sendfile'], undefined)
    t.equal(response.end, 'end')
    isFile(t, await handed(port, [`X-LIGHTTPD-send-file: ${join(files, 'a.txt')}`]), LINES)
    isFile(t, await send(join(files, 'page.html')), '<h1>page</h1>')
    isFile(t, await send(join(files, 'gr\u00fc\u00df.txt')), 'UTF-8')
    isFile(t, await send(join(files, 'per%41cent.txt')), 'percent')
    isFile(t, await send(`${files}/sub/.././/a.txt`), LINES)
    isFile(t, await send(join(files, 'link-in.txt')), LINES)
    isFile(t, await send(join(files, '.hidden')), 'hidden')
    const data = await send(join(files, 'data'))
    t.equal(data.headers['content-type'], 'application/octet-stream')
    const empty = await send(join(files, 'empty.txt'))
    isFile(t, empty, '')
    t.notOk(empty.headers['transfer-encoding'])
    const head = await send(join(files, 'a.txt'), { method: 'HEAD' })
    t.same([head.status, head.headers['content-length'], head.body], [200, '1000', ''])
    const post = await send(join(files, 'a.txt'), {
      method: 'POST',
      headers: ['Content-Length: 0', 'Range: bytes=0-1', `If-Modified-Since: ${LAST_MODIFIED}`],
    })
    isFile(t, post, LINES)
    t.strictSame(log, [])
  })

  await eachAdapter(t, 'what the application says of it', async (t, adapter) => {
    const { send } = await start(t, adapter)
    const { status, headers, body } = await send(join(files, 'a.txt'), {
      fields: [
        'Content-Type: application/x-own',
        'Content-Length: 7',
        'Content-Encoding: gzip',
        'Content-Disposition: attachment; filename="gr\u00fcn.txt"',
        'Cache-Control: private, max-age=9',
        'Set-Cookie: a=1',
        'Set-Cookie: b=2',
        'ETag: "own"',
        'Last-Modified: Tue, 04 Feb 2003 04:05:06 GMT',
        'X-Own: stays',
      ],
    })
    t.equal(status, 200)
    t.equal(body, LINES)
    t.match(headers, {
      'content-type': 'application/x-own',
      'content-length': '1000',
      'content-disposition': Buffer.from('attachment; filename="gr\u00fcn.txt"').toString('latin1'),
      'cache-control': 'private, max-age=9',
      'set-cookie': 'a=1\nb=2',
      etag: '"own"',
      'last-modified': 'Tue, 04 Feb 2003 04:05:06 GMT',
      'x-own': 'stays',
    })
    t.equal(headers['content-encoding'], 'gzip', 'it describes the file, as with lighttpd')
    const page = await send(join(files, 'page.html'), {
      code: 404,
      fields: ['Content-Type: application/x-own'],
    })
    t.same(
      [page.status, page.body, page.headers['content-type']],
      [404, '<h1>page</h1>', 'application/x-own'],
    )
    t.notOk(page.headers.etag, 'no validators of the page of an error')
    const gone = await send(join(files, 'page.html'), { code: 304 })
    t.same([gone.status, gone.body], [304, ''])
  })

  await eachAdapter(t, 'conditions', async (t, adapter) => {
    const { send } = await start(t, adapter)
    const own = ['ETag: "own"', 'Last-Modified: Tue, 04 Feb 2003 04:05:06 GMT', 'Set-Cookie: a=1']
    const { headers } = await send(join(files, 'a.txt'))
    const cases: Array<[status: number, header: string, fields?: string[]]> = [
      [304, `If-None-Match: ${headers.etag}`],
      [200, 'If-None-Match: "other"'],
      [304, `If-Modified-Since: ${LAST_MODIFIED}`],
      [200, 'If-Modified-Since: Mon, 03 Feb 2020 04:05:05 GMT'],
      [200, `If-Match: ${headers.etag}`],
      [412, 'If-Match: "other"'],
      [200, `If-Unmodified-Since: ${LAST_MODIFIED}`],
      [412, 'If-Unmodified-Since: Mon, 03 Feb 2020 04:05:05 GMT'],
      [304, 'If-None-Match: W/"own"', own],
      [200, `If-None-Match: ${headers.etag}`, own],
      [412, `If-Match: ${headers.etag}`, own],
      [304, 'If-Modified-Since: Tue, 04 Feb 2003 04:05:06 GMT', own],
    ]
    for (const [status, header, fields = []] of cases) {
      const response = await send(join(files, 'a.txt'), { headers: [header], fields })
      t.equal(response.status, status, header)
      t.equal(response.body, status === 200 ? LINES : '')
      t.equal(response.headers['set-cookie'], fields.length > 0 ? 'a=1' : undefined)
      if (status === 304) t.notOk(response.headers['content-type'])
    }
    const page = { code: 404, headers: ['If-None-Match: *', 'Range: bytes=0-1'] }
    t.equal((await send(join(files, 'page.html'), page)).body, '<h1>page</h1>')
  })

  await eachAdapter(t, 'ranges', async (t, adapter) => {
    const { send } = await start(t, adapter)
    const get = (range: string, ...more: string[]) =>
      send(join(files, 'a.txt'), { headers: [`Range: ${range}`, ...more], fields: ['ETag: "own"'] })
    for (const [range, first, last] of [
      ['bytes=0-9', 0, 9],
      ['bytes=990-', 990, 999],
      ['bytes=-7', 993, 999],
      ['bytes=500-9999', 500, 999],
      ['bytes=0-20,10-30', 0, 30],
    ] as const) {
      const { status, headers, body } = await get(range)
      t.equal(status, 206, range)
      t.equal(headers['content-range'], `bytes ${first}-${last}/1000`)
      t.equal(headers['content-length'], String(last + 1 - first))
      t.equal(body, LINES.slice(first, last + 1))
    }
    const none = await get('bytes=1000-')
    t.same([none.status, none.headers['content-range'], none.body], [416, 'bytes */1000', ''])
    const several = await get('bytes=0-9,990-')
    t.equal(several.status, 206)
    const [, boundary] = /boundary=(\S+)/.exec(several.headers['content-type'] ?? '') ?? []
    const part = (first: number, last: number) =>
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Range: bytes ${first}-${last}/1000\r\n\r\n${LINES.slice(first, last + 1)}\r\n`
    t.equal(several.body, `${part(0, 9)}${part(990, 999)}--${boundary}--\r\n`)
    t.equal(several.headers['content-length'], String(several.body.length))
    t.equal((await get('bytes=0-9', 'If-Range: "own"')).status, 206)
    t.equal((await get('bytes=0-9', 'If-Range: "other"')).body, LINES)
    t.equal((await get('bytes=0-9', `If-Range: ${LAST_MODIFIED}`)).status, 206)
    t.equal(
      (await send(join(files, 'a.txt'), { code: 203, headers: ['Range: bytes=0-9'] })).body,
      LINES,
    )
    const never = { headers: ['Range: bytes=0-9'], fields: ['Accept-Ranges: none'] }
    t.equal((await send(join(files, 'a.txt'), never)).status, 200, 'the application says none')
  })

  await eachAdapter(t, 'what is refused', async (t, adapter) => {
    const { send, log, port } = await start(t, adapter)
    const secret = join(files, 'secret.txt')
    const cases: Array<[status: number, path: string, reason: RegExp]> = [
      [404, join(files, 'none'), /there is no file .*\/files\/none \(option sendfile\)/],
      [404, join(files, 'a.txt/x'), /there is no file/],
      [403, files, /does not lie in/],
      [403, join(files, 'sub'), /no regular file/],
      [403, join(base, 'outside.txt'), /outside\.txt does not lie in .*\(option sendfile\)/],
      [403, join(base, 'files-too/x.txt'), /does not lie in/],
      [403, `${files}/../outside.txt`, /does not lie in/],
      [404, `${files}/away/../outside.txt`, /there is no file/],
      [403, join(files, 'link-out.txt'), /does not lie in/],
      [403, join(files, 'away/outside.txt'), /does not lie in/],
      [403, '/etc/passwd', /does not lie in/],
      [403, '/nowhere/at/all', /does not lie in/],
      [403, 'a.txt', /no absolute path/],
      [403, './a.txt', /no absolute path/],
    ]
    for (const [status, path, reason] of cases) {
      log.length = 0
      const response = await send(path, { fields: ['X-Own: gone'] })
      t.equal(response.status, status, path)
      t.notMatch(response.text, /SECRET|body of the script|root:/)
      t.notMatch(response.text, base, 'a client learns no paths')
      t.equal(log.length, 1)
      t.match(log[0], /^x-sendfile of \S+\/fields\.php refused: /)
      t.match(log[0], reason)
    }
    for (const code of [300, 404, 410, 500, 503]) {
      const { status, headers, body } = await send(secret, { code, fields: ['X-Own: stays'] })
      t.same(
        [status, headers['x-own'], body],
        [code, 'stays', ''],
        "the application's status tells more",
      )
    }
    for (const code of [200, 201, 206]) t.equal((await send(secret, { code })).status, 404)
    t.equal((await handed(port, ['X-Sendfile: '])).body, 'body of the script', 'nothing is named')
    if (process.getuid?.() !== 0) {
      chmodSync(join(files, 'data'), 0o000)
      t.equal((await send(join(files, 'data'))).status, 403)
      chmodSync(join(files, 'data'), 0o600)
    }
  })

  await eachAdapter(t, 'decode', async (t, adapter) => {
    const { send } = await start(t, adapter, { sendfile: { roots: [files], decode: true } })
    isFile(t, await send(`${files}/per%2541cent.txt`), 'percent')
    isFile(t, await send(`${files}/com,ma%20and%20space.txt`), 'comma')
    isFile(t, await send(`${files}/gr%C3%BC%c3%9f.txt`), 'UTF-8')
    t.equal((await send(`${files}/per%41cent.txt`)).status, 404, 'decoded, and not twice')
    t.equal((await send(`${files}/%2e%2e/outside.txt`)).status, 403)
    t.equal((await send(`${files}/a.txt%00`)).status, 403)
    t.equal((await send(`${files}/a.txt%00.html`)).status, 403)
    t.equal((await send(`${files}/100%`)).status, 404)
    const raw = await start(t, adapter)
    t.equal((await raw.send(`${files}/a.txt%00`)).status, 404, 'that is a name')
  })

  await eachAdapter(t, 'off, and told to the application', async (t, adapter) => {
    const off = await start(t, adapter, {
      sendfile: undefined,
      sendfileParam: 'MOD_X_SENDFILE_ENABLED',
    })
    for (const name of ['X-Sendfile', 'X-LIGHTTPD-send-file', 'X-Sendfile2', 'X-Accel-Redirect']) {
      off.log.length = 0
      const { status, body, headers } = await handed(off.port, [`${name}: ${files}/a.txt`])
      t.same([status, body], [200, 'body of the script'], name)
      t.equal(headers[name.toLowerCase()], undefined)
      const option = name === 'X-Accel-Redirect' ? 'accel' : 'sendfile'
      t.match(
        off.log.join('\n'),
        `${name.toLowerCase()} of ${SITE}/fields.php is not acted on without the option ${option}`,
      )
    }
    t.notOk('MOD_X_SENDFILE_ENABLED' in (await serverParams(off.port, '/server.php')))
    off.log.length = 0
    await handed(off.port, [`X-Accel-Redirect: /x`, `X-Sendfile: ${files}/a.txt`])
    t.equal(off.log.length, 1, 'said once')
    const one = await start(t, adapter, { sendfile: undefined, accel: { '/x/': files } })
    const both = ['X-Sendfile: /nowhere', 'X-Accel-Redirect: /x/a.txt']
    isFile(t, await handed(one.port, both), LINES)
    t.strictSame(one.log, [], 'some send one field for each kind of server')
    const on = await start(t, adapter, { sendfileParam: 'MOD_X_SENDFILE_ENABLED' })
    const params = await serverParams(on.port, '/server.php', ['Mod-X-Sendfile-Enabled: 0'])
    t.equal(params.MOD_X_SENDFILE_ENABLED, '1')
    const silent = await start(t, adapter)
    t.notOk('MOD_X_SENDFILE_ENABLED' in (await serverParams(silent.port, '/server.php')))
  })
})

function isFile(t: Test, response: RawResponse, content: string): void {
  t.same(
    [response.status, response.headers['content-length'], response.body],
    [200, String(content.length), content],
  )
}
