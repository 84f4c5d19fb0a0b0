/** Bodies up and down, through the three adapters, to php-fpm and php-cgi. */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { PhpProcess } from '#php'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { ask, askJSON, blocks, hashOf, hashOfBlocks, open } from '../helpers/php-http.ts'
import { NEEDS_CGI, NEEDS_FPM, phpCgi, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import { within } from '../helpers/wait.ts'

const MEGABYTES_100 = 104_857_600
const LONG = 60_000
/** A file in multipart/form-data holds line ends, NULs and what looks like a boundary. */
const FILE = Buffer.concat([Buffer.from('--bound\r\n\0'), ...blocks(100_000)])

t.test('php-fpm over a unix socket', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  await transfers(t, php)
  await largeTransfers(t, php)
})

t.test('php-fpm over TCP', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t, { listen: 'tcp' })
  await transfers(t, php)

  // Held back until the one before is acknowledged, which takes 40 ms: the head of a request and its body are two writes.
  await t.test('small uploads wait for no acknowledgement', async (t) => {
    const { port } = await startAdapter(t, 'http', { upstream: php.address, root: SITE })
    const timeOf = async (options: { method: string; body?: string }): Promise<number> => {
      const started = performance.now()
      await ask(port, '/hash.php', options)
      return performance.now() - started
    }
    const waited: number[] = []
    // A busy machine is as slow for requests without a body, which are one write.
    for (let n = 0; n < 15; n++) {
      const without = await timeOf({ method: 'GET' })
      waited.push((await timeOf({ method: 'POST', body: 'a=1' })) - without)
    }
    const median = waited.sort((a, b) => a - b)[7] ?? 0
    t.ok(median < 25, `half of them took ${median.toFixed(1)} ms longer at the most`)
  })
})

t.test('php-cgi', NEEDS_CGI, async (t) => transfers(t, await phpCgi(t)))

async function transfers(t: Test, php: PhpProcess): Promise<void> {
  const start = async (t: Test, adapter: Parameters<typeof startAdapter>[1]) => {
    const spoolDirectory = t.testdir()
    const running = await startAdapter(t, adapter, {
      upstream: php.address,
      root: SITE,
      spoolDirectory,
    })
    return { ...running, spoolDirectory }
  }

  await eachAdapter(t, 'bodies of 0, 1, 65535 and 65536 bytes', async (t, adapter) => {
    const { port } = await start(t, adapter)
    for (const size of [0, 1, 65_535, 65_536]) {
      const body = Buffer.concat([...blocks(size)])
      const expected = hashOfBlocks(size)
      const up = await askJSON(port, '/hash.php', { method: 'POST', body })
      t.match(up, { ...expected, contentLength: String(size) }, `${size} bytes up`)
      const down = await open(port, `/bytes.php?n=${size}`)
      t.same(await hashOf(down), expected, `${size} bytes down`)
    }
  })

  await eachAdapter(t, 'a chunked upload arrives whole with its length', async (t, adapter) => {
    const { port, spoolDirectory } = await start(t, adapter)
    for (const size of [0, 1, 1000, 65_536, 65_537, 1_000_000]) {
      const question = { method: 'POST', body: blocks(size) }
      const found = await askJSON(port, '/hash.php', question)
      const expected = { ...hashOfBlocks(size), contentLength: String(size) }
      t.match(found, { ...expected, transferEncoding: null }, `${size} bytes`)
    }
    t.same(readdirSync(spoolDirectory), [], 'nothing is left in the spool directory')
  })

  await eachAdapter(t, 'HTTP/1.0', async (t, adapter) => {
    const { port } = await start(t, adapter)
    const up = await rawRequest(port, 'POST /hash.php HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello')
    const md5 = createHash('md5').update('hello').digest('hex')
    t.match(JSON.parse(up.body), { length: 5, md5, protocol: 'HTTP/1.0' })
    const down = await rawRequest(port, 'GET /bytes.php?n=200000 HTTP/1.0\r\n\r\n')
    t.equal(down.headers['transfer-encoding'], undefined, 'no chunks')
    const body = Buffer.from(down.body, 'latin1')
    t.ok(body.equals(Buffer.concat([...blocks(200_000)])), 'the body ends with the connection')
  })

  await eachAdapter(t, 'a multipart upload', async (t, adapter) => {
    const { port } = await start(t, adapter)
    const body = Buffer.concat([
      Buffer.from('--bound\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n'),
      Buffer.from('--bound\r\nContent-Disposition: form-data; name="doc"; filename="a b.bin"\r\n'),
      Buffer.from('Content-Type: application/octet-stream\r\n\r\n'),
      FILE,
      Buffer.from('\r\n--bound--\r\n'),
    ])
    const headers = { 'content-type': 'multipart/form-data; boundary=bound' }
    const sha1 = createHash('sha1').update(FILE).digest('hex')
    const expected = {
      files: { doc: { name: 'a b.bin', size: FILE.length, sha1, error: 0 } },
      post: { title: 'A title' },
    }
    t.same(await askJSON(port, '/files.php', { method: 'POST', headers, body }), expected)
    const chunked = await askJSON(port, '/files.php', { method: 'POST', headers, body: [body] })
    t.same(chunked, expected, 'in chunks')
  })

  await eachAdapter(t, 'an urlencoded form', async (t, adapter) => {
    const { port } = await start(t, adapter)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = 'name=J%C3%BCrgen+Z&list%5B%5D=1&list%5B%5D=2&empty='
    const { post } = await askJSON(port, '/input.php', { method: 'POST', headers, body })
    t.same(post, { name: 'Jürgen Z', list: ['1', '2'], empty: '' })
  })

  await eachAdapter(t, 'uploads with other methods', async (t, adapter) => {
    const { port } = await start(t, adapter)
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const { status, body } = await ask(port, '/input.php', {
        method,
        // Of some methods node:http does not expect a body, and says no length.
        headers: { 'content-length': method.length },
        body: method,
      })
      const found = Buffer.from(JSON.parse(body.toString()).body, 'base64').toString()
      t.same([status, found], [200, method], method)
    }
  })
}

async function largeTransfers(t: Test, php: PhpProcess): Promise<void> {
  const expected = hashOfBlocks(MEGABYTES_100)

  await eachAdapter(t, '100 MB up', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream: php.address, root: SITE })
    const headers = { 'content-length': MEGABYTES_100 }
    const body = blocks(MEGABYTES_100)
    // PUT: PHP would write the whole body of a POST to disk before the script begins.
    const question = { method: 'PUT', headers, body, limit: LONG }
    t.match(await askJSON(port, '/hash.php', question), expected)
  })

  await eachAdapter(t, '100 MB down', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream: php.address, root: SITE })
    const response = await open(port, `/bytes.php?n=${MEGABYTES_100}`)
    t.same(await within('100 MB', hashOf(response), LONG), expected)
  })
}
