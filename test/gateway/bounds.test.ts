/** What clients can make the gateway hold or do: descriptors, looks at the disk, memory that is lent. */
import { createHook } from 'node:async_hooks'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as stream from 'node:stream'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { rawConnect, rawGet } from '../helpers/raw-http.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { collectWarnings, nothingEscapes } from '../helpers/strict.ts'
import { until, within } from '../helpers/wait.ts'

nothingEscapes()
const warnings = collectWarnings()

async function gateway(
  t: Test,
  options: Partial<GatewayOptions>,
  body: Buffer | string = 'ok',
): Promise<{ port: number; server: ReturnType<typeof createServer> }> {
  const peer = await startPeer(wellBehaved(() => body))
  const made = createGateway({ upstream: peer.address, logger: false, ...options })
  const server = createServer(made.handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await made.close()
    await peer.close()
  })
  return { port: (server.address() as AddressInfo).port, server }
}

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'bounds-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

/** Temporary files that this process holds open. */
function openSpools(directory: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return links.filter((link) => link.startsWith(directory)).length
}

const NEEDS_PROC = process.platform === 'linux' ? {} : { skip: 'there is no /proc' }

t.test('files of uploads that are aborted are closed, whenever that is', NEEDS_PROC, async (t) => {
  const spoolDirectory = directory(t)
  const { port } = await gateway(t, { checkLocal: false, spoolDirectory })
  const body = Buffer.alloc(70_000, 97)
  for (let n = 0; n < 400; n++) {
    const socket = await rawConnect(port)
    socket.on('error', () => {})
    socket.write('POST /x.php HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    socket.write(`${body.length.toString(16)}\r\n`)
    socket.write(body)
    // Before the file is opened, while it is, and behind it.
    for (let turn = 0; turn < n % 8; turn++) await new Promise(setImmediate)
    socket.resetAndDestroy()
  }
  await until('all temporary files to be closed', () => openSpools(spoolDirectory) === 0)
  t.notOk(warnings.some(({ message }) => message.includes('garbage')))
})

t.test('a path of many segments costs no more looks at the disk', async (t) => {
  const root = directory(t)
  writeFileSync(join(root, 'index.php'), '')
  writeFileSync(join(root, 'app.php'), '')
  for (const pathInfo of ['script', 'full', 'first-dot', 'last-dot'] as const) {
    const { port } = await gateway(t, { root, pathInfo })
    let looks = 0
    const hook = createHook({
      init(_id, type) {
        if (type === 'FSREQPROMISE') looks++
      },
    })
    const count = async (path: string): Promise<number> => {
      looks = 0
      hook.enable()
      await rawGet(port, path)
      hook.disable()
      return looks
    }
    const plain = await count('/no.php')
    t.ok(plain > 0 && plain < 10, `${pathInfo}: ${plain} looks`)
    for (const segments of [2, 200, 2000]) {
      const many = await count(`/${segments}/${'a.php/'.repeat(segments)}b`)
      t.ok(many <= plain + 2, `${pathInfo}: ${many} looks for ${segments} segments`)
      const behind = await count(`/app.php/${segments}/${'a.php/'.repeat(segments)}b`)
      t.ok(behind <= plain + 3, `${pathInfo}: ${behind} looks behind a script`)
    }
  }
})

t.test('over a Duplex that is no socket, nothing that is written is used again', async (t) => {
  const { duplexPair } = stream as unknown as {
    duplexPair?: () => [stream.Duplex, stream.Duplex]
  }
  const size = 4 * 1024 * 1024
  const block = Buffer.alloc(size)
  for (let at = 0; at < size; at += 4) block.writeUInt32BE(at, at)
  const root = directory(t)
  writeFileSync(join(root, 'big.bin'), block)
  const routes = [
    { match: '.php', checkLocal: false, root: '/x' },
    { match: '/', root, static: true },
  ]
  const { server } = await gateway(t, { routes }, block)
  for (const url of ['/x.php', '/big.bin']) {
    const [inner, outer] = duplexPair === undefined ? pairOfStreams() : duplexPair()
    server.emit('connection', inner)
    outer.write(`GET ${url} HTTP/1.0\r\nHost: a\r\n\r\n`)
    const chunks: Buffer[] = []
    const ended = new Promise((resolve) => outer.on('end', resolve))
    outer.on('data', (chunk) => chunks.push(chunk))
    await within('the end', ended)
    const all = Buffer.concat(chunks)
    t.ok(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(block), `${url} is intact`)
  }
})

/** Two ends of a pipe in memory, which pass on what is written as it is. */
function pairOfStreams(): [stream.Duplex, stream.Duplex] {
  const ends: stream.Duplex[] = []
  const make = (other: number): stream.Duplex =>
    new stream.Duplex({
      read() {},
      write(chunk, _encoding, callback) {
        ends[other]?.push(chunk)
        setImmediate(callback)
      },
      final(callback) {
        ends[other]?.push(null)
        callback()
      },
    })
  ends.push(make(1), make(0))
  return ends as [stream.Duplex, stream.Duplex]
}
