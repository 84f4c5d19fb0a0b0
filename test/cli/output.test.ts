/** Lines of the access log, and records of the log as lines for people. */
import t from 'tap'
import { CLI } from '../helpers/serve-command.ts'

const { combinedAccess, humanAccess, jsonAccess } = await import(
  new URL('output/access-line.js', CLI).href
)
const { humanLines } = await import(new URL('output/human-lines.js', CLI).href)

const access = {
  time: new Date(Date.UTC(2026, 10, 9, 4, 5, 6)),
  address: '192.0.2.1',
  method: 'GET',
  target: '/a"b?\x1bc',
  httpVersion: '1.1',
  status: 200,
  whole: true,
  bytes: 1234,
  milliseconds: 3.4,
  script: 'a.php',
  referer: '',
  userAgent: 'x "y"\n',
}

t.test('the combined format', async (t) => {
  t.equal(
    combinedAccess(access),
    '192.0.2.1 - - [09/Nov/2026:04:05:06 +0000] "GET /a\\"b?\\x1bc HTTP/1.1" 200 1234 "-" "x \\"y\\"\\x0a"',
  )
  const odd = { ...access, address: '', bytes: undefined, referer: 'http://x/' }
  t.match(combinedAccess(odd), /^- - - \[.* 200 - "http:\/\/x\/" /)
})

t.test('for people', async (t) => {
  t.equal(humanAccess(access, false), 'GET /a"b?\\x1bc 200 1.2 kB 3 ms a.php')
  for (const [bytes, size] of [
    [0, '0 B'],
    [999, '999 B'],
    [9999, '10 kB'],
    [999_600, '1.0 MB'],
    [12_345_678, '12 MB'],
    [5e15, '5000 TB'],
  ])
    t.match(humanAccess({ ...access, bytes }, false), ` 200 ${size} 3 ms`)
  const broken = { ...access, status: 499, whole: false, bytes: undefined, script: undefined }
  t.equal(humanAccess(broken, false), 'GET /a"b?\\x1bc 499 3 ms broken off')
  t.match(humanAccess({ ...access, status: 503 }, true), '\x1b[31m503\x1b[39m')
})

t.test('JSON', async (t) => {
  t.match(JSON.parse(jsonAccess(access)), { time: '2026-11-09T04:05:06.000Z', script: 'a.php' })
})

const format = { root: '/srv/site', colours: false, withStacks: false }
const failure = {
  level: 50,
  method: 'GET',
  path: '/b.php',
  msg: 'cannot connect to unix:/x',
  err: { code: 'FCGI_CONNECT', message: 'x', stack: 'Error: x\n    at y' },
  member: 'unix:/x',
  script: '/srv/site/lib/a.php',
  remedy: 'start the application',
}

t.test('a failure takes three lines, and its stack only if asked for', async (t) => {
  const lines = [
    'error: GET /b.php: cannot connect to unix:/x',
    '  at member unix:/x, script lib/a.php',
    '  remedy: start the application',
  ]
  t.equal(humanLines(failure, format), `${lines.join('\n')}\n`)
  t.match(humanLines(failure, { ...format, withStacks: true }), '\nError: x\n    at y\n')
  const bare = { level: 50, msg: 'x', err: { code: 'ELSE' } }
  t.equal(humanLines(bare, format), 'error: x\n')
})

t.test('notices, warnings, information', async (t) => {
  const notice = { level: 40, msg: 'stderr of the application: PHP Notice: x' }
  t.equal(humanLines({ ...notice, script: '/srv/site/a.php' }, format), '  a.php: PHP Notice: x\n')
  t.equal(humanLines({ ...notice, script: '/app/a.php' }, format), '  /app/a.php: PHP Notice: x\n')
  t.equal(humanLines({ level: 40, msg: 'x' }, format), 'warning: x\n')
  t.equal(humanLines({ level: 30, msg: 'x' }, format), 'x\n')
})
