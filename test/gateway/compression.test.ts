/** Responses through middleware that compresses them, as the package compression does. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createGzip } from 'node:zlib'
import type { RequestHandler } from 'express'
import t from 'tap'
import { behind } from '../helpers/behind.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, stdoutRecords, wellBehaved } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { turns, until, within } from '../helpers/wait.ts'

nothingEscapes()

/** Compresses every body, and adds `flush()`, which the package compression adds, too. */
function compress(onFlush: () => void = () => {}): RequestHandler {
  return (_req, res, next) => {
    const { write, end, on } = res
    const gzip = createGzip()
    gzip.on('data', (chunk) => {
      if (Reflect.apply(write, res, [chunk]) === false) gzip.pause()
    })
    gzip.on('end', () => Reflect.apply(end, res, []))
    res.on('drain', () => gzip.resume())
    const sendHead = (): void => {
      if (res.headersSent) return
      res.removeHeader('Content-Length')
      res.setHeader('Content-Encoding', 'gzip').writeHead(res.statusCode)
    }
    const replacements: Partial<Record<keyof ServerResponse | 'flush', unknown>> = {
      on(event: string, listener: () => void) {
        if (event === 'drain') gzip.on(event, listener)
        else Reflect.apply(on, res, [event, listener])
        return res
      },
      write(chunk: Buffer | string) {
        sendHead()
        return gzip.write(chunk)
      },
      end(chunk?: Buffer | string) {
        sendHead()
        return chunk === undefined ? gzip.end() : gzip.end(chunk)
      },
      flush() {
        onFlush()
        gzip.flush()
      },
    }
    Object.assign(res, replacements)
    next()
  }
}

t.test('server-sent events are flushed as they come', async (t) => {
  const seen: Array<() => void> = []
  const step = () => new Promise<void>((resolve) => void seen.push(resolve))
  const script = eachRequest(async (_request, connection) => {
    connection.write(stdoutRecords('Content-Type: text/event-stream\r\n\r\n'))
    await step()
    connection.write(stdoutRecords('data: 1\n\n'))
    await step()
    connection.write(stdoutRecords('data: 2\n\n'), endRecord())
  })
  const { app } = await behind(t, 'express', script, { express: (app) => void app.use(compress()) })
  const response = await within(
    'the head, before there is an event',
    fetch(`${app.url}/x.php`, { headers: { 'accept-encoding': 'gzip' } }),
  )
  t.equal(response.headers.get('content-encoding'), 'gzip')
  let text = ''
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const read = async (): Promise<void> => {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: '' }
      if (done) return
      text += value
    }
  }
  const ended = read()
  seen[0]?.()
  await until('the first event', () => text.includes('data: 1'))
  t.notMatch(text, /data: 2/)
  seen[1]?.()
  await within('the end', ended)
  t.equal(text, 'data: 1\n\ndata: 2\n\n')
})

t.test('a long body is not flushed piece by piece', async (t) => {
  let flushes = 0
  const page = Buffer.alloc(4_000_000, 'page ')
  const { app } = await behind(
    t,
    'express',
    wellBehaved(() => page),
    {
      express: (app) => void app.use(compress(() => flushes++)),
    },
  )
  const response = await within('the body', fetch(`${app.url}/x.php`))
  t.ok(Buffer.from(await within('its end', response.arrayBuffer())).equals(page))
  t.ok(flushes < 100, `${flushes} flushes of 4 MB`)
})

t.test('a client that disconnects while a flush is due', async (t) => {
  const script = eachRequest(async (request, connection) => {
    connection.write(stdoutRecords('Content-Type: text/event-stream\r\n\r\ndata: 1\n\n'))
    await request.aborted
    connection.write(endRecord())
  })
  const { app, peer } = await behind(t, 'express', script, {
    express: (app) => void app.use(compress()),
  })
  const socket = await rawConnect(app.port)
  socket.write('GET /x.php HTTP/1.1\r\nHost: h\r\n\r\n')
  await within('data', once(socket, 'data'))
  socket.destroy()
  await until('the connection to the application closing', () => peer.open === 0)
  await turns(3)
  t.pass('no flush of a destroyed response')
})
