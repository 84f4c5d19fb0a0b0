/** From the head of an HTTP response to that of a CGI response. */
import t from 'tap'
import { toCgiHead } from './internals.ts'

t.test(
  'Status comes last, for an authorizer first; the other fields stay as they are',
  async (t) => {
    t.equal(
      toCgiHead(
        'HTTP/1.1 404 Not Found\r\nX-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n',
        false,
      ),
      'X-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nStatus: 404 Not Found\r\n\r\n',
    )
    t.equal(toCgiHead('HTTP/1.1 401 No\r\nA: b\r\n\r\n', true), 'Status: 401 No\r\nA: b\r\n\r\n')
    t.equal(toCgiHead('HTTP/1.1 200 OK\r\n\r\n', false), 'Status: 200 OK\r\n\r\n')
  },
)

t.test('fields of the hop go, and a second Status', async (t) => {
  const hop = [
    'Connection: keep-alive',
    'KEEP-ALIVE: timeout=5',
    'transfer-encoding: chunked',
    'Trailer: X',
    'Upgrade: h2c',
    'TE: trailers',
    'Proxy-Connection: x',
    'Status: 500',
  ]
  t.equal(
    toCgiHead(
      `HTTP/1.1 200 OK\r\n${hop.join('\r\n')}\r\nX-Connection: a\r\nStatus-X: b\r\n\r\n`,
      false,
    ),
    'X-Connection: a\r\nStatus-X: b\r\nStatus: 200 OK\r\n\r\n',
  )
})

t.test('1xx is no response', async (t) => {
  t.equal(toCgiHead('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n', false), undefined)
  t.equal(toCgiHead('HTTP/1.1 100 Continue\r\n\r\n', true), undefined)
})
