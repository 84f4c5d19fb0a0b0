/** The head of a response. */
import t from 'tap'
import { readHead } from './internals.ts'

const json = (status: number, ...lines: string[]): string =>
  `{ "status": ${status}, "headers": ["${[...lines, '__terminator__'].join('",\n"')}"]}`

t.test('fields keep their order and are repeated', async (t) => {
  const head = readHead(json(200, 'X-Powered-By: PHP/8.3', 'Set-Cookie: a=1', 'Set-Cookie: b=2'))
  t.same(head, {
    status: 200,
    fields: ['X-Powered-By', 'PHP/8.3', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'],
    dropped: [],
  })
})

t.test('quotes, backslashes, tabs and bytes', async (t) => {
  const { fields } = readHead(json(200, 'X-A: \\"q\\" \\\\ \t\xfc'))
  t.same(fields, ['X-A', '"q" \\ \t\xfc'])
})

t.test('Status is a field of CGI', async (t) => {
  t.match(readHead(json(200, 'Status: 404 Not Found', 'X: y')), { status: 404, fields: ['X', 'y'] })
})

t.test('Content-Length comes last', async (t) => {
  const { fields } = readHead(json(200, 'Content-Length: 5', 'Content-Disposition: x'))
  t.same(fields, ['Content-Disposition', 'x', 'Content-Length', '5'])
})

t.test('fields that cannot be sent are named', async (t) => {
  const head = readHead(json(200, 'X-Bad: a\x01b', 'Bad Name: c', 'X-Good: d'))
  t.same(head, { status: 200, fields: ['X-Good', 'd'], dropped: ['X-Bad', 'Bad Name'] })
})
