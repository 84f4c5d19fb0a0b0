/** How files go out: every range of them, on kept connections, broken off where they get shorter. */
import { spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { Agent } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { fieldsTarget } from '../helpers/file-site.ts'
import { ask, blocks, open } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { until, within } from '../helpers/wait.ts'

const MEGABYTE = 1_048_576

/** A directory with one file, gone after the test. */
function directoryWith(t: Test, name: string): { root: string; path: string } {
  const root = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const path = join(root, name)
  writeFileSync(path, '')
  return { root, path }
}

t.test('1,000 ranges of php-fpm on one connection', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const { root, path } = directoryWith(t, 'bytes.bin')
  const bytes = Buffer.concat([...blocks(300_000)])
  writeFileSync(path, bytes)
  await eachAdapter(t, 'random bounds', async (t, adapter) => {
    const app = await startAdapter(t, adapter, {
      upstream: php.address,
      root: SITE,
      sendfile: { roots: [root] },
    })
    let connections = 0
    app.server.on('connection', () => connections++)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    const target = fieldsTarget([`X-Sendfile: ${path}`])
    const wrong: string[] = []
    for (let n = 0; n < 1000; n++) {
      const { range, first, last } = randomRange(bytes.length)
      const { status, headers, body } = await ask(app.port, target, { agent, headers: { range } })
      const bounds = `bytes ${first}-${last}/${bytes.length}`
      const same = body.equals(bytes.subarray(first, last + 1))
      if (status !== 206 || headers['content-range'] !== bounds || !same) wrong.push(range)
    }
    t.strictSame(wrong, [])
    t.equal(connections, 1)
  })
})

function randomRange(size: number): { range: string; first: number; last: number } {
  const first = randomInt(size)
  // Short ones, long ones, and those that end beyond the end.
  const length = 1 + randomInt([10, 100_000, size * 2][randomInt(3)] ?? 1)
  const last = Math.min(first + length, size) - 1
  const kind = randomInt(4)
  if (kind === 0) return { range: `bytes=${first}-`, first, last: size - 1 }
  if (kind === 1) return { range: `bytes=-${size - first}`, first, last: size - 1 }
  return { range: `bytes=${first}-${first + length - 1}`, first, last }
}

const LARGE = 64 * MEGABYTE

/**
 * A client that prints the head, waits for a line, reads on, and prints how many bytes came and how they ended. Not one of Node,
 * which reports a reset as an end when it finds unread bytes before it.
 */
const READER = `
  use IO::Socket::INET;
  $| = 1;
  my ($port, $version) = @ARGV;
  my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die;
  syswrite $socket, "GET /large.bin HTTP/$version\\r\\nHost: localhost\\r\\n\\r\\n";
  my $received = sysread $socket, my $data, 65536;
  print +(split /\\r\\n\\r\\n/, $data)[0], "\\r\\n";
  <STDIN>;
  my $length;
  while ($length = sysread $socket, $data, 65536) { $received += $length }
  print "$received ", defined $length ? 'end' : 'reset';
`

t.test('a file that gets shorter while it is sent', async (t) => {
  await eachAdapter(t, 'the connection breaks off', async (t, adapter) => {
    const { root, path } = directoryWith(t, 'large.bin')
    for (const version of ['1.1', '1.0']) {
      truncateSync(path, LARGE)
      const options = { upstream: '127.0.0.1:9', root, static: true }
      const { port, log } = await startAdapter(t, adapter, options)
      const client = spawn('perl', ['-e', READER, String(port), version])
      t.teardown(() => client.kill())
      const output = client.stdout.setEncoding('latin1')[Symbol.asyncIterator]()
      const head: string = (await within('the head', output.next())).value
      t.match(head.toLowerCase(), `content-length: ${LARGE}\r\n`)
      truncateSync(path, 1000)
      client.stdin.write('read on\n')
      const end: string = (await within('the end of the connection', output.next())).value
      const [received, how] = end.split(' ')
      t.ok(Number(received) < LARGE, `${received} bytes came`)
      // In HTTP/1.0 the end of the connection is that of the body, so a client must see that it is none.
      if (version === '1.0') t.equal(how, 'reset')
      t.equal(log.length, 1)
      t.match(
        log[0],
        /^response broken off: .*\/large\.bin ended at byte \d+ while it was sent, \d+ bytes short$/,
      )
    }
  })

  await t.test('its stream does in HTTP/2', async (t) => {
    const { root, path } = directoryWith(t, 'large.bin')
    truncateSync(path, LARGE)
    const logger = { info() {}, warn() {}, error() {} }
    const gateway = createGateway({ upstream: '127.0.0.1:9', root, static: true, logger })
    const server = createServer(gateway.handler as never).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    t.teardown(() => {
      session.destroy()
      server.close()
    })
    const stream = session.request({ ':path': '/large.bin' })
    await within('the head', once(stream, 'response'))
    truncateSync(path, 1000)
    stream.resume()
    const [error] = await within('an error', once(stream, 'error'))
    t.match(error, { code: 'ERR_HTTP2_STREAM_ERROR' })
  })
})

t.test('clients that read at their own pace get the bytes of their own files', async (t) => {
  await eachAdapter(t, 'at the same time', async (t, adapter) => {
    const { root } = directoryWith(t, 'a')
    const contents = ['a', 'b', 'c'].map((name) => {
      const content = randomBytes(3 * MEGABYTE + 7)
      writeFileSync(join(root, name), content)
      return [name, content] as const
    })
    const { port } = await startAdapter(t, adapter, { upstream: '127.0.0.1:9', root, static: true })
    const read = async ([name, content]: (typeof contents)[number], at: number) => {
      // Of some clients, the connection breaks off in the middle of a write.
      const response = await open(port, `/${name}`)
      if (at % 4 === 3) {
        response.destroy()
        return
      }
      const chunks: Buffer[] = []
      for await (const chunk of response) {
        chunks.push(chunk)
        if (chunks.length % (at + 2) === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      t.ok(Buffer.concat(chunks).equals(content), `${name} is whole`)
    }
    for (let round = 0; round < 3; round++)
      await Promise.all([...contents, ...contents, ...contents, ...contents].map(read))
  })
})

t.test('a client that goes away has the file closed', async (t) => {
  await eachAdapter(t, 'in the middle', async (t, adapter) => {
    const { root, path } = directoryWith(t, 'large.bin')
    truncateSync(path, LARGE)
    const { port, log, server } = await startAdapter(t, adapter, {
      upstream: '127.0.0.1:9',
      root,
      static: true,
    })
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket))
    for (let n = 0; n < 5; n++) {
      const response = await open(port, '/large.bin')
      response.destroy()
    }
    // One more, whose client is gone before there is a response, and whose second request waits behind the first.
    const socket = await rawConnect(port)
    socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2))
    socket.destroy()
    await until(
      'the connections to close',
      () => sockets.length === 6 && sockets.every((each) => each.destroyed),
    )
    await until('the files to close', () => openFiles(root) === 0)
    t.strictSame(log, [], 'that is no failure')
  })
})

function openFiles(root: string): number {
  if (process.platform !== 'linux') return 0
  return readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(root))
    .length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
