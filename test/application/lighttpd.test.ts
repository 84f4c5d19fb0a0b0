/** The application side behind lighttpd, which starts the application itself. */
import t from 'tap'
import { compare } from '../helpers/same-answers.ts'
import { APPS } from '../helpers/sample-apps.ts'
import { needsWebServer, startInFront } from '../helpers/web-servers.ts'

for (const app of APPS)
  t.test(`${app} behind lighttpd`, needsWebServer('lighttpd'), (t) => compare(t, 'lighttpd', app))

t.test('authorizer and responder in one program, fd 0', needsWebServer('lighttpd'), async (t) => {
  const { port } = await startInFront(t, 'lighttpd', 'authorizer')
  const url = `http://127.0.0.1:${port}/private?x=1`
  const denied = await fetch(url)
  t.equal(denied.status, 401)
  t.equal(denied.headers.get('www-authenticate'), 'Basic realm="x"')
  t.equal(await denied.text(), 'Who?')
  const allowed = await fetch(url, { headers: { authorization: 'secret' } })
  t.equal(allowed.status, 200)
  t.equal(
    await allowed.text(),
    'user ada of /private?x=1',
    'Variable-USER_NAME reached the responder',
  )
  const posted = await fetch(url, {
    method: 'POST',
    headers: { authorization: 'secret' },
    body: 'x',
  })
  t.equal(posted.status, 200, 'the body is not for the authorizer')
})
