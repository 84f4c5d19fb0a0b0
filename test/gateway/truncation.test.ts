/** What breaks off never looks complete, and no response runs into the next one. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, dechunk, whole } from '../helpers/behind.ts'
import { type RawResponse, rawConnect, rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, type Script, stdoutRecords } from '../helpers/scripted-peer.ts'
import { until, within } from '../helpers/wait.ts'

const WAYS: Record<string, (body: Buffer) => Script> = {
  'in one piece, then closed': (body) =>
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords(body))
      connection.finish()
    }),
  'head first, then a part, then closed': (body) =>
    eachRequest(async (_request, connection) => {
      const end = body.indexOf('\r\n\r\n') + 4
      await connection.writeSlowly([
        stdoutRecords(body.subarray(0, end)),
        stdoutRecords(body.subarray(end)),
      ])
      connection.finish()
    }),
  'inside a record': (body) =>
    eachRequest((_request, connection) => {
      const records = stdoutRecords(body)
      connection.write(records.subarray(0, records.length - 3))
      connection.finish()
    }),
  'by a record that cannot be': (body) =>
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords(body), Buffer.from('this is no record at all'))
    }),
  'with OVERLOADED': (body) =>
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords(body), endRecord(0, 2))
    }),
}

/** A failure is told, or seen: an error status, or a body that lacks its end. */
function looksBroken(t: Test, response: RawResponse, version: string): void {
  if (response.status >= 500) {
    t.pass('an error was sent')
    return
  }
  const { headers, body, text, end } = response
  if (text === '') t.pass('nothing was sent')
  else if (headers['content-length'] !== undefined)
    t.ok(body.length < Number(headers['content-length']), 'shorter than it says')
  else if (headers['transfer-encoding'] === 'chunked')
    t.equal(dechunk(body), undefined, 'no last chunk')
  else t.equal(end, 'reset', `${version}: only a reset can tell`)
}

for (const [way, script] of Object.entries(WAYS))
  eachAdapter(t, `broken off ${way}`, async (t, adapter) => {
    const part = 'x'.repeat(5000)
    for (const head of [
      'Content-Type: text/plain\r\nContent-Length: 9000\r\n\r\n',
      'Content-Type: text/plain\r\n\r\n',
    ]) {
      const { app, peer, get } = await behind(t, adapter, script(Buffer.from(head + part)), {
        retries: 0,
      })
      looksBroken(t, await get(), '1.1')
      const old = 'GET /x.php HTTP/1.0\r\n\r\n'
      looksBroken(t, await rawRequest(app.port, old), '1.0')
      // node:http takes it for a version after 1.1 and sends no chunks.
      looksBroken(t, await rawRequest(app.port, old.replace('1.0', '2.0')), '1.0')
      t.equal(app.log.length, 3, 'one line each in the log')
      await app.close()
      await until('every connection closing', () => peer.open === 0)
    }
  })

eachAdapter(t, 'fewer bytes than Content-Length, ended properly', async (t, adapter) => {
  for (const pieces of [1, 2]) {
    const script = eachRequest(async (_request, connection) => {
      const parts = ['Content-Length: 10\r\n\r\n', 'abc']
      if (pieces === 1) connection.write(whole(parts.join('')))
      else await connection.writeSlowly([...parts.map((part) => stdoutRecords(part)), endRecord()])
    })
    const { app, get } = await behind(t, adapter, script)
    looksBroken(t, await get(), '1.1')
    t.match(app.log, [/after 3 of 10 bytes/])
  }
})

/** Two requests on one connection; what comes back. */
async function twoOnOne(port: number, method = 'GET'): Promise<string> {
  const socket = await rawConnect(port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.write(`${method} /x.php?1 HTTP/1.1\r\nHost: h\r\n\r\n`)
  await until('the first answer', () => /\r\n\r\n/.test(text) || socket.destroyed)
  const close = within('the end', once(socket, 'close'))
  socket.write(`GET /x.php?2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
  await close
  return text
}

eachAdapter(t, 'more bytes than Content-Length', async (t, adapter) => {
  for (const slow of [false, true]) {
    const script = eachRequest(async (request, connection) => {
      if (request.params.QUERY_STRING === '2') {
        connection.write(whole('Content-Length: 6\r\n\r\n', 'second'))
        return
      }
      const smuggled = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
      if (slow)
        await connection.writeSlowly([
          stdoutRecords('Content-Length: 5\r\n\r\n'),
          stdoutRecords(`first${smuggled}`),
          endRecord(),
        ])
      else connection.write(whole('Content-Length: 5\r\n\r\n', `first${smuggled}`))
    })
    const { app } = await behind(t, adapter, script)
    const text = await twoOnOne(app.port)
    t.notMatch(text, /evil/)
    t.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2, 'two answers, no third')
    t.match(text, /\r\n\r\nfirstHTTP\/1\.1 200 OK/)
    t.match(text, /\r\n\r\nsecond$/)
    t.match(app.log, [/more than its Content-Length of 5; cut/])
  }
})

eachAdapter(t, 'Content-Length: 0 with a body', async (t, adapter) => {
  const { app } = await behind(
    t,
    adapter,
    eachRequest((_request, connection) => {
      connection.write(whole('Content-Length: 0\r\n\r\n', 'evil'))
    }),
  )
  t.notMatch(await twoOnOne(app.port), /evil/)
})

async function brokenWhileHooksRun(t: Test): Promise<void> {
  const script = eachRequest(async (_request, connection) => {
    await connection.writeSlowly([
      stdoutRecords('Content-Type: text/plain\r\n\r\n'),
      stdoutRecords('part'),
    ])
    connection.destroy()
  })
  const log: string[] = []
  const { app, get } = await behind(t, 'fastify', script, {
    fastify: (server) => {
      server.addHook('onSend', () => until('a line in the log', () => log.length > 0))
    },
  })
  app.log.push = (...lines) => log.push(...lines)
  looksBroken(t, await within('an answer', get()), '1.1')
  t.equal(log.length, 1)
}

t.test('broken off while a hook of Fastify still thinks about the head', brokenWhileHooksRun)
