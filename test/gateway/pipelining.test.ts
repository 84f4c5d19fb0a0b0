/** Pipelined requests of HTTP/1.1: one of a connection runs at a time, and the responses come in order. */
import { once } from 'node:events'
import type { Express } from 'express'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { guarded } from '../helpers/guarded.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { eachRequest, type Script, stdoutRecords } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { delay, turns, until, within } from '../helpers/wait.ts'

nothingEscapes()

/** Counts the requests that run at the same time. */
class Running {
  now = 0
  most = 0
  readonly order: string[] = []

  /** Answers with the query; gives requests that run at the same time the opportunity to arrive before. */
  readonly script: Script = eachRequest(async (request, connection) => {
    const { QUERY_STRING = '' } = request.params
    this.order.push(QUERY_STRING)
    this.now++
    this.most = Math.max(this.most, this.now)
    const body = await request.stdin()
    await turns(20)
    this.now--
    const head = `Content-Type: text/plain\r\n\r\nanswer ${QUERY_STRING}.`
    connection.write(whole(head, body))
  })
}

const line = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n`
const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1))

/** Sends the bytes at once; returns all that comes back until the server closes. */
async function pipeline(port: number, bytes: string): Promise<string> {
  const socket = await rawConnect(port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  socket.write(bytes)
  await within('the end', once(socket, 'close'), 30_000)
  return text
}

function get(names: readonly string[], path = '/x.php'): string {
  const all = names.map((name) => `${line(`${path}?${name}`)}\r\n`)
  return `${all.join('')}${line(`${path}?last`)}Connection: close\r\n\r\n`
}

for (const count of [2, 60, 900])
  eachAdapter(t, `${count} requests of one connection`, async (t, adapter) => {
    const running = new Running()
    const { app, peer } = await behind(t, adapter, running.script)
    const names = numbers(count)
    const text = await pipeline(app.port, get(names))
    t.equal(running.most, 1, 'one runs at a time')
    const wanted = [...names, 'last']
    t.strictSame(running.order, wanted)
    t.strictSame(
      text.match(/answer \w+\./g),
      wanted.map((name) => `answer ${name}.`),
    )
    t.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, count + 1)
    t.equal(peer.requests.length, count + 1)
    t.strictSame(app.log, [])
  })

eachAdapter(t, 'requests of several connections run at once', async (t, adapter) => {
  let release: () => void = () => {}
  const allHere = new Promise<void>((resolve) => {
    release = resolve
  })
  const script: Script = eachRequest(async (_request, connection) => {
    if (peer.requests.length >= 5) release()
    await allHere
    connection.write(whole('Content-Type: text/plain\r\n\r\n', 'ok'))
  })
  const { app, peer } = await behind(t, adapter, script, { maxConnections: 10 })
  const texts = await Promise.all(numbers(5).map(() => pipeline(app.port, get([]))))
  for (const text of texts) t.match(text, /200 OK[\s\S]*ok/)
})

eachAdapter(t, 'request bodies, short ones and streamed ones', async (t, adapter) => {
  const running = new Running()
  const { app } = await behind(t, adapter, running.script)
  const sizes = [10, 100_000, 0, 1_000_000, 3]
  const posts = sizes.map(
    (size, n) =>
      `POST /x.php?${n} HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`,
  )
  const text = await pipeline(app.port, `${posts.join('')}${get([])}`)
  t.equal(running.most, 1)
  const answers = [...text.matchAll(/answer (\w+)\./g)].map(([, name]) => name)
  t.strictSame(answers, ['0', '1', '2', '3', '4', 'last'])
  t.equal(text.match(/x{3,}/g)?.join('').length, 1_100_013)
})

eachAdapter(t, 'a response of the framework among them keeps its place', async (t, adapter) => {
  const running = new Running()
  const node = (_req: unknown, res: { end(body: string): void }) => res.end('answer node.')
  const { app } = await behind(t, adapter, running.script, { node })
  const text = await pipeline(app.port, `${line('/x.php?1')}\r\n${line('/node')}\r\n${get(['2'])}`)
  t.strictSame(text.match(/answer \w+\./g), [
    'answer 1.',
    'answer node.',
    'answer 2.',
    'answer last.',
  ])
  t.equal(running.most, 1)
})

eachAdapter(t, 'failures among them', async (t, adapter) => {
  const running = new Running()
  const { app } = await behind(t, adapter, running.script)
  const bad = `${line('/%00.php')}\r\n`
  const text = await pipeline(
    app.port,
    `${get(['1']).split(line('/x.php?last'))[0]}${bad}${get([])}`,
  )
  t.strictSame(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['200', '400', '200'],
  )
})

eachAdapter(t, 'the client disconnects while requests wait', async (t, adapter) => {
  const script: Script = eachRequest((_request, connection) => {
    connection.write(stdoutRecords('Content-Type: text/plain\r\n\r\nbegin'))
  })
  const { app, peer } = await behind(t, adapter, script)
  for (const count of [5, 500]) {
    const before = peer.requests.length
    const socket = await rawConnect(app.port)
    socket.on('error', () => {})
    socket.write(get(numbers(count)))
    await within('the first response', once(socket, 'data'))
    socket.resetAndDestroy()
    await until('the connection closing', () => peer.open === 0)
    await turns(50)
    t.equal(peer.requests.length, before + 1, 'the requests that waited are never run')
  }
  t.strictSame(app.log, [])
})

eachAdapter(t, 'a connection has a maximum of waiting requests', async (t, adapter) => {
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const script: Script = eachRequest(async (_request, connection) => {
    await released
    connection.write(whole('Content-Type: text/plain\r\n\r\n', 'ok'))
  })
  const express = (app: Express) => void app.set('env', 'test')
  const { app, peer } = await behind(t, adapter, script, { express })
  let received = 0
  app.server.on('request', () => received++)
  const socket = await rawConnect(app.port)
  socket.on('error', () => {})
  const many = Buffer.from(`${line('/x.php')}\r\n`.repeat(1000))
  let before = -1
  // Sends until the system takes nothing more.
  while (before !== socket.bytesWritten - socket.writableLength) {
    before = socket.bytesWritten - socket.writableLength
    while (socket.writableLength < 2_000_000) socket.write(many)
    await delay(300)
  }
  t.ok(received < 10_000, `${received} requests in memory`)
  t.match(app.log[0], /1000 requests of this connection are waiting already/)
  await until('the first request', () => peer.requests.length > 0)
  t.equal(peer.requests.length, 1)
  socket.destroy()
  release()
  await until('the connection closing', () => peer.open === 0)
})

eachAdapter(t, 'authorizers', async (t, adapter) => {
  const asked = new Running()
  const script: Script = asked.script
  const { app, through } = await guarded(t, adapter, [{ does: script }])
  const text = await pipeline(app.port, get(numbers(30), '/node'))
  t.equal(asked.most, 1, 'one request is authorized at a time')
  t.equal(through.length, 31)
  t.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 31)
})
