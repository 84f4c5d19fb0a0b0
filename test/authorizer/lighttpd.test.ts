/** The same requests to the same authorizer, behind lighttpd in authorizer mode: the same decisions, but for what is listed. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startAdapter } from '../helpers/adapters.ts'
import { echoed, TABLE } from '../helpers/authorizer-table.ts'
import { NEEDS, startAuthorizer } from '../helpers/authorizers.ts'
import { says } from '../helpers/guarded.ts'
import { lighttpd, NEEDS_LIGHTTPD } from '../helpers/lighttpd.ts'
import { bodyOf, serverParams } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { type RawResponse, rawGet } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Script,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'

/** What lighttpd 1.4 does otherwise; docs/authorizers.md has the reasons. */
const DIFFERENCES: Readonly<
  Record<string, (theirs: RawResponse, ours: RawResponse, t: Test) => void>
> = {
  // What comes before Status is filtered as that of a yes.
  'status-last': (theirs, ours, t) => {
    t.strictSame([theirs.status, ours.status], [403, 403])
    t.strictSame([theirs.headers['x-early'], ours.headers['x-early']], [undefined, '1'])
  },
  'location-first': (theirs, ours, t) => {
    t.strictSame([theirs.status, ours.status], [302, 302])
    t.strictSame(
      [theirs.headers.location, ours.headers.location],
      [undefined, 'http://login.example/'],
    )
  },
  // Without Status, lighttpd lets everybody through whom the authorizer meant to send to the login page.
  'location-only': (theirs, ours, t) => {
    t.strictSame([theirs.status, ours.status], [200, 302])
  },
  // lighttpd hands down whatever the authorizer names: PHP is told to run /etc/passwd.
  '/private/server.php?variables': (theirs, ours, t) => {
    t.match(theirs, { status: 403, body: /Access denied/ })
    t.match(ours, { status: 200, body: /"SCRIPT_NAME":/ })
  },
}

const NEEDED = { skip: NEEDS.c.skip || NEEDS_LIGHTTPD.skip || NEEDS_FPM.skip }

function privateSite(t: Test): string {
  const root = t.testdir({})
  mkdirSync(join(root, 'private'))
  writeFileSync(join(root, 'private/page.txt'), 'static')
  const script = readFileSync(join(SITE, 'server.php'))
  writeFileSync(join(root, 'private/server.php'), script)
  writeFileSync(join(root, 'open.txt'), 'open')
  return root
}

const socketOf = (address: string): string => address.replace(/^unix:/, '')

/** lighttpd and this project's guard, both in front of the same site. */
async function both(t: Test, authorizer: string, php?: string): Promise<[number, number]> {
  const root = privateSite(t)
  const responder = `".php" => (( "socket" => "${php && socketOf(php)}" ))`
  const { port: theirs } = await lighttpd(
    t,
    [
      'server.modules += ( "mod_fastcgi" )',
      `server.document-root = "${root}"`,
      'mimetype.assign = ( ".txt" => "text/plain" )',
      'static-file.exclude-extensions = ( ".php" )',
      'fastcgi.server = (',
      `  "/private/" => (( "socket" => "${socketOf(authorizer)}", "mode" => "authorizer",`,
      `    "docroot" => "${root}", "check-local" => "disable" ))`,
      php === undefined ? ')' : `  , ${responder} )`,
    ].join('\n'),
  )
  const { port: ours } = await startAdapter(t, 'http', {
    guards: [{ upstream: authorizer, root, match: '/private/', docroot: root, retries: 0 }],
    upstream: php ?? authorizer,
    root,
    static: true,
  })
  return [theirs, ours]
}

t.test('the same decisions as lighttpd', NEEDED, async (t) => {
  const authorizer = await startAuthorizer(t, 'c')
  const php = await phpFpm(t)
  const [theirs, ours] = await both(t, authorizer.upstream, php.address)
  for (const word of [...Object.keys(TABLE), 'echo'])
    for (const path of ['/private/page.txt', '/private/server.php', '/open.txt']) {
      const target = `${path}?${word}`
      const [a, b] = [await rawGet(theirs, target), await rawGet(ours, target)]
      const differ = path === '/open.txt' ? undefined : (DIFFERENCES[target] ?? DIFFERENCES[word])
      if (differ !== undefined) {
        differ(a, b, t)
        continue
      }
      t.equal(b.status, a.status, target)
      for (const field of ['location', 'www-authenticate', 'x-authorizer', 'set-cookie'])
        t.equal(b.headers[field], a.headers[field], `${target} ${field}`)
      if (word !== 'echo' && path !== '/private/server.php')
        t.equal(bodyOf(b), bodyOf(a), `${target}: the same body`)
    }
})

t.test('the same variables as lighttpd', NEEDED, async (t) => {
  const fields = ['Auth-Level: 7', 'group: red', 'Group: blue', 'EMPTY:']
  const head = fields.map((field) => `Variable-${field}\r\n`).join('')
  const peer = await startPeer(says(`Status: 200\r\n${head}\r\n`))
  t.teardown(() => peer.close())
  const php = await phpFpm(t)
  const seen: Array<Record<string, string>> = []
  for (const port of await both(t, peer.address, php.address))
    seen.push(await serverParams(port, '/private/server.php'))
  const [theirs = {}, ours = {}] = seen
  for (const [name, value] of [
    ['AUTH_LEVEL', '7'],
    ['GROUP', 'red, blue'],
    ['EMPTY', ''],
  ] as const)
    t.strictSame([theirs[name], ours[name]], [value, value], name)
})

t.test('the authorizer is told the same', NEEDED, async (t) => {
  const authorizer = await startAuthorizer(t, 'c')
  const ports = await both(t, authorizer.upstream)
  const target = '/private/a%20b/page.txt?echo'
  const told: Array<Record<string, string>> = []
  for (const port of ports)
    told.push(echoed(bodyOf(await rawGet(port, target, ['X-Mine: 1', 'Cookie: a=b']))))
  const [theirs = {}, ours = {}] = told
  // HTTP_CONNECTION speaks of a connection that ends at the gateway.
  const own = /^(SERVER_(SOFTWARE|PORT|NAME)|REMOTE_PORT|HTTP_CONNECTION|PWD|SHLVL|_)$/
  const same = Object.keys(theirs).filter((name) => !own.test(name))
  t.ok(same.length > 10)
  for (const name of same) if (!(name in process.env)) t.equal(ours[name], theirs[name], name)
  for (const absent of ['CONTENT_LENGTH', 'PATH_INFO', 'PATH_TRANSLATED', 'SCRIPT_NAME'])
    t.notOk(absent in theirs || absent in ours, absent)
})

const bytes = (part: Buffer): Script =>
  eachRequest((_request, connection) => {
    connection.write(part)
    connection.finish()
  })

/** Guards that fail, and lighttpd's status; here it is 503. */
const FAILURES: Record<string, [script: Script, theirs: number]> = {
  'closed at once': [bytes(Buffer.alloc(0)), 500],
  'half a head': [bytes(stdoutRecords('Status: 200 OK\r\nVaria')), 500],
  'no head': [bytes(Buffer.concat([stdoutRecords('200 OK\n\n'), endRecord()])), 502],
  'a head that allows, then nothing': [bytes(stdoutRecords('Status: 200 OK\r\n\r\n')), 200],
  'a head that allows, OVERLOADED': [
    bytes(Buffer.concat([stdoutRecords('Status: 200 OK\r\n\r\n'), endRecord(0, 2)])),
    200,
  ],
}

for (const [what, [script, status]] of Object.entries(FAILURES))
  t.test(`failures: ${what}`, NEEDED, async (t) => {
    const peer = await startPeer(script)
    t.teardown(() => peer.close())
    const [theirs, ours] = await both(t, peer.address)
    t.equal((await rawGet(theirs, '/private/page.txt')).status, status, 'lighttpd')
    t.equal((await rawGet(ours, '/private/page.txt')).status, 503)
  })
