/** X-Sendfile2 of php-fpm: parts of files, one behind the other. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { fieldsTarget, fileSite, type Handed, handed, LINES } from '../helpers/file-site.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawRequest } from '../helpers/raw-http.ts'

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const { base, files } = fileSite(t)
  const a = join(files, 'a.txt')
  const data = join(files, 'data')

  async function start(t: Test, adapter: AdapterName) {
    const sendfile = { roots: [files] }
    const app = await startAdapter(t, adapter, { upstream: php.address, root: SITE, sendfile })
    const send = (value: string | string[], asked: Handed & { fields?: string[] } = {}) => {
      const own = [value].flat().map((each) => `X-Sendfile2: ${each}`)
      return handed(app.port, [...own, ...(asked.fields ?? [])], asked)
    }
    return { ...app, send }
  }

  await eachAdapter(t, 'parts', async (t, adapter) => {
    const { send, log, port } = await start(t, adapter)
    const cases: Array<[value: string | string[], body: string]> = [
      [`${a} 0-9`, LINES.slice(0, 10)],
      [`${a} 0-0`, ' '],
      [`${a} 990-`, LINES.slice(990)],
      [`${a} 0-`, LINES],
      [`${a} 0-999`, LINES],
      [`${a} 10-19, ${data} 3-4 ,${a} 0-0`, `${LINES.slice(10, 20)}en `],
      [`${data} 3-,${data} 0-2`, 'endingno '],
      [[`${a} 10-19`, `${data} 3-4`], `${LINES.slice(10, 20)}en`],
      [`${a} 1000-,${data} 0-1`, 'no'],
      [`${files}/empty.txt 0-,${data} 0-1,${files}/empty.txt 0-`, 'no'],
      [`${files}/com%2cma%20and%20space.txt 0-`, 'comma'],
      [`${files}/per%2541cent.txt 1-`, 'ercent'],
      [`${files}/gr%C3%bc%C3%9F.txt 0-`, 'UTF-8'],
      [Array.from({ length: 150 }, (_, n) => `${a} ${n}-${n}`).join(','), LINES.slice(0, 150)],
    ]
    for (const [value, body] of cases) {
      const response = await send(value)
      const { status, headers } = response
      t.same([status, response.body], [200, body], String(value).replaceAll(files, ''))
      t.equal(headers['content-length'], String(body.length))
      for (const name of ['etag', 'last-modified', 'content-type', 'x-sendfile2'])
        t.equal(headers[name], undefined, name)
    }
    const head = await send(`${a} 0-9`, { method: 'HEAD' })
    t.same([head.status, head.headers['content-length'], head.body], [200, '10', ''])
    t.strictSame(log, [])
    const first = await handed(port, [`X-Sendfile: ${a}`, `X-Sendfile2: ${data} 0-1`])
    t.equal(first.body, 'no', 'it comes before X-Sendfile')
  })

  await eachAdapter(t, 'status and fields are those of the application', async (t, adapter) => {
    const { send } = await start(t, adapter)
    const fields = [
      'Content-Range: bytes 10-19/1000',
      'Content-Type: application/x-own',
      'ETag: "own"',
    ]
    const asked = { code: 206, fields: [...fields, 'Content-Length: 3'] }
    for (const headers of [
      ['Range: bytes=10-19'],
      ['If-None-Match: "own"'],
      ['If-Match: "x"'],
      [],
    ]) {
      const { status, headers: got, body } = await send(`${a} 10-19`, { ...asked, headers })
      t.same([status, body], [206, LINES.slice(10, 20)])
      t.equal(got['content-length'], '10', 'and not 3')
      t.match(got, {
        'content-range': 'bytes 10-19/1000',
        'content-type': 'application/x-own',
        etag: '"own"',
      })
    }
    const whole = await send(`${a} 10-19`, { headers: ['Range: bytes=0-1'] })
    t.same([whole.status, whole.body], [200, LINES.slice(10, 20)], 'ranges are its own matter')
  })

  await eachAdapter(t, 'parts beyond the end are cut, and that is logged', async (t, adapter) => {
    const { send, log } = await start(t, adapter)
    for (const [value, body, cut] of [
      [`${a} 990-1000`, LINES.slice(990), '990-1000'],
      [`${data} 3-99999`, 'ending', '3-99999'],
      [`${a} 1001-`, '', '1001-'],
      [`${a} 5000-6000,${data} 0-1`, 'no', '5000-6000'],
    ] as const) {
      log.length = 0
      const response = await send(value)
      t.same([response.status, response.body], [200, body], value)
      t.equal(response.headers['content-length'], String(body.length))
      t.equal(log.length, 1)
      t.match(log[0], new RegExp(`has \\d+ bytes: part ${cut} of X-Sendfile2 cut`))
    }
  })

  await eachAdapter(t, 'what is malformed, and what is refused', async (t, adapter) => {
    const { send, log } = await start(t, adapter)
    const many = join(files, 'many')
    mkdirSync(many, { recursive: true })
    for (let n = 0; n < 129; n++) writeFileSync(join(many, String(n)), 'x')
    const all = Array.from({ length: 129 }, (_, n) => `${many}/${n} 0-`)
    const cases: Array<[status: number, value: string]> = [
      ...[a, `${a} `, `${a} 0`, `${a} -5`, `${a} 9-3`, `${a} x-y`, `${a} 0-1 2-3`, `${a} 0-1,`].map(
        (value): [number, string] => [502, value],
      ),
      [502, `${a}0-1`],
      [502, `,${a} 0-1`],
      [502, `${files}/com,ma%20and%20space.txt 0-`],
      [502, `${a} 0-99999999999999999`],
      [502, `${a} +1-2`],
      [502, all.join(',')],
      [404, `${files}/none 0-`],
      [404, `${a} 0-9,${files}/none 0-`],
      [403, `${base}/outside.txt 0-`],
      [403, `${a} 0-9,${base}/outside.txt 0-`],
      [403, `${files}/%2e%2e/outside.txt 0-`],
      [403, `${files}/link-out.txt 0-`],
      [403, `${files}/sub 0-`],
      [403, `${a}%00 0-`],
      [403, 'a.txt 0-'],
    ]
    for (const [status, value] of cases) {
      log.length = 0
      const response = await send(value)
      t.equal(response.status, status, value.slice(0, 200))
      t.notMatch(response.text, /SECRET|body of the script/)
      t.equal(log.length, 1)
    }
    t.equal((await send(all.slice(1).join(','))).body, 'x'.repeat(128), 'one less is not too many')
    const own = await send(`${files}/none 0-`, { code: 404 })
    t.same([own.status, own.body, own.headers['content-length']], [404, '', '0'])
  })

  await eachAdapter(t, 'parts without a byte do not disturb what follows', async (t, adapter) => {
    const { port } = await start(t, adapter)
    const line = (value: string) => `GET ${fieldsTarget([`X-Sendfile2: ${value}`])} HTTP/1.1`
    const empty = ['\r\nHost: localhost\r\n\r\n']
    const requests = [
      line(`${a} 1000-`),
      line(`${files}/empty.txt 0-`),
      `GET ${fieldsTarget([`X-Sendfile: ${files}/empty.txt`])} HTTP/1.1`,
      line(`${a} 2000-3000`),
    ].map((each) => each + empty)
    const last = `${line(`${data} 0-1`)}\r\nHost: localhost\r\nConnection: close\r\n\r\n`
    const { text } = await rawRequest(port, requests.join('') + last)
    const responses = text.split(/(?=HTTP\/1\.1 )/)
    t.equal(responses.length, 5)
    for (const [at, response] of responses.entries()) {
      const body = response.slice(response.indexOf('\r\n\r\n') + 4)
      t.match(response, /^HTTP\/1\.1 200 OK\r\n/)
      t.match(response.toLowerCase(), `content-length: ${at === 4 ? 2 : 0}\r\n`)
      t.equal(body, at === 4 ? 'no' : '')
    }
  })
})
