/** The application side behind cgi-fcgi, the bridge of libfcgi from CGI to FastCGI. */
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { accepting, findProgram, startProgram } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { temporary } from '../helpers/web-server.ts'
import { SAMPLE } from '../helpers/web-servers.ts'

const CGI_FCGI = findProgram('cgi-fcgi')

t.test('cgi-fcgi -bind -connect', needs('libfcgi-bin', CGI_FCGI), async (t) => {
  const path = `${temporary(t)}/s`
  const program = startProgram(t, process.execPath, [SAMPLE, 'express', `-unix=${path}`])
  await accepting(program, path)
  const ask = (env: NodeJS.ProcessEnv, input = '') =>
    spawnSync(CGI_FCGI ?? '', ['-bind', '-connect', path], {
      env: { SERVER_PROTOCOL: 'HTTP/1.1', HTTP_HOST: 'localhost', ...env },
      input,
      encoding: 'utf8',
    })
  const get = ask({ REQUEST_METHOD: 'GET', REQUEST_URI: '/describe?a=b' })
  t.match(get.stdout, /\r\nStatus: 200 OK\r\n\r\n\{"method":"GET","url":"\/describe\?a=b"/)
  t.equal(get.status, 0)
  const body = JSON.stringify({ text: 'x'.repeat(50_000) })
  const post = ask(
    {
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/json',
      CONTENT_TYPE: 'application/json',
      CONTENT_LENGTH: String(body.length),
    },
    body,
  )
  t.match(post.stdout, /Status: 201 Created/)
  t.equal(post.stdout.split('\r\n\r\n')[1], `{"got":${body}}`)
})
