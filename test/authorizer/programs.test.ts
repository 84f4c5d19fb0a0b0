/** Authorizers in C, Perl and PHP guard static files, a Node handler and a PHP page: one table of what they say. */
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { echoed, guardedSite, TABLE } from '../helpers/authorizer-table.ts'
import { AUTHORIZERS, NEEDS, startAuthorizer } from '../helpers/authorizers.ts'
import { bodyOf, serverParams } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'

/** What is behind the guard, and a part of what it answers. */
const BEHIND: Record<string, RegExp> = {
  '/page.txt': /^static$/,
  '/node': /^node$/,
  '/server.php': /"SCRIPT_NAME":/,
}

for (const name of AUTHORIZERS)
  t.test(`an authorizer in ${name}`, { skip: NEEDS[name].skip || NEEDS_FPM.skip }, async (t) => {
    const authorizer = await startAuthorizer(t, name)
    const php = await phpFpm(t)
    await eachAdapter(t, 'guards', async (t, adapter) => {
      let calls = 0
      let variables: Readonly<Record<string, string>> | undefined
      const { port } = await startAdapter(t, adapter, {
        guards: [authorizer],
        node: (_req, res, said) => {
          calls++
          variables = said
          res.end('node')
        },
        upstream: php.address,
        root: guardedSite(t),
        static: true,
      })
      for (const [word, expected] of Object.entries(TABLE))
        for (const [path, content] of Object.entries(BEHIND)) {
          const before = calls
          const answer = await rawGet(port, `${path}?${word}`)
          const what = `${path}?${word}`
          if (expected === 'through') {
            t.equal(answer.status, 200, what)
            t.match(bodyOf(answer), content, what)
            t.notMatch(answer.text, /of-the-authorizer|nobody gets|X-Authorizer|Variable-/i, what)
            t.equal(calls - before, path === '/node' ? 1 : 0)
          } else {
            t.equal(answer.status, expected.status, what)
            for (const [field, value] of Object.entries(expected.fields(name)))
              t.equal(answer.headers[field]?.replace(/;.*/, ''), value, `${what} ${field}`)
            t.equal(bodyOf(answer), expected.body(name), what)
            t.equal(calls, before, 'the route behind never runs')
          }
        }

      await rawGet(port, '/node?variables')

      const expected = Object.fromEntries([
        ['AUTH_LEVEL', '7'],
        ['Display-Name', Buffer.from(`J\u00fcrgen ${name}`).toString('latin1')],
        ['group', 'red, blue'],
      ])
      t.strictSame({ ...variables }, expected, 'variables, by the names that it gave')
      const server = await serverParams(port, '/server.php?variables')
      t.equal(server.AUTH_LEVEL, '7')
      t.equal(server.DISPLAY_NAME, expected['Display-Name'])
      t.equal(server.GROUP, 'red, blue')
      t.match(server.SCRIPT_FILENAME, /\/server\.php$/)
      t.notOk('HTTP_PROXY' in server || 'PHP_ADMIN_VALUE' in server)
    })

    await t.test('is told what the specification says', async (t) => {
      const { port } = await startAdapter(t, 'http', {
        guards: [authorizer],
        checkLocal: false,
        upstream: php.address,
      })
      const body = 'x'.repeat(100)
      const head = [
        'POST /private/a%20b/page.txt?echo HTTP/1.1',
        'Host: www.example:81',
        'Connection: close',
        'Content-Type: text/x-test',
        `Content-Length: ${body.length}`,
        'X-Mine: 1',
        'Cookie: a=b',
        'Proxy: evil.example',
      ]
      const params = echoed(bodyOf(await rawRequest(port, `${head.join('\r\n')}\r\n\r\n${body}`)))
      t.match(params, {
        REQUEST_METHOD: 'POST',
        REQUEST_URI: '/private/a%20b/page.txt?echo',
        QUERY_STRING: 'echo',
        REMOTE_ADDR: '127.0.0.1',
        SERVER_NAME: 'www.example',
        HTTP_X_MINE: '1',
        HTTP_COOKIE: 'a=b',
        CONTENT_TYPE: 'text/x-test',
      })
      if (name !== 'php') {
        t.equal(params.FCGI_ROLE, 'AUTHORIZER')
        t.equal(
          params.SCRIPT_FILENAME,
          '/srv/www/private/a b/page.txt',
          'the file that it is about',
        )
        for (const absent of ['CONTENT_LENGTH', 'PATH_INFO', 'PATH_TRANSLATED', 'SCRIPT_NAME'])
          t.notOk(absent in params, `no ${absent}`)
      }
      t.notOk('HTTP_PROXY' in params)
    })
  })
