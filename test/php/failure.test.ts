/** Applications that stop, workers that die, clients that go. */
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { ask, RawConversation } from '../helpers/php-http.ts'
import { skipsOnWasm } from '../helpers/php-on-wasm.ts'
import { NEEDS_CGI, NEEDS_FPM, phpCgi, phpFpm, SITE } from '../helpers/php-site.ts'
import { until } from '../helpers/wait.ts'

const PROMPTLY = 3000

t.test('php-fpm stopped is 502, and works again when it is back', NEEDS_FPM, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const listen = `unix:${join(directory, 's')}`
  for (const adapter of ['fastify', 'express', 'http'] as const)
    await t.test(adapter, async (t) => {
      const first = await phpFpm(t, { listen })
      const { port, log } = await startAdapter(t, adapter, { upstream: listen, root: SITE })
      t.equal((await ask(port, '/pid.php')).status, 200)
      await first.stop()
      const refused = await ask(port, '/pid.php')
      t.equal(refused.status, 502)
      t.notMatch(refused.body.toString(), directory, 'clients learn no addresses')
      t.match(log.join('\n'), listen, 'the log does')
      const again = await phpFpm(t, { listen })
      t.equal((await ask(port, '/pid.php')).status, 200)
      await again.stop('SIGKILL')
      t.equal((await ask(port, '/pid.php')).status, 502, 'killed')
      await phpFpm(t, { listen })
      t.equal((await ask(port, '/pid.php')).status, 200)
    })
})

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t, { children: 1 })
  await brokenBodies(t, php.address)
  await clientsThatGo(t, php.address)
})

t.test('php-cgi', NEEDS_CGI, async (t) => {
  const php = await phpCgi(t, { children: 1 })
  await brokenBodies(t, php.address)
})

async function brokenBodies(t: Test, upstream: string): Promise<void> {
  for (const [name, query] of [
    ['without a length', ''],
    ['with Content-Length', '?length'],
  ])
    await eachAdapter(t, `a worker killed inside a body ${name}`, async (t, adapter) => {
      if (skipsOnWasm(t, 'process')) return
      const { port, log } = await startAdapter(t, adapter, { upstream, root: SITE })
      const client = await RawConversation.start(
        port,
        `GET /broken.php${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      )
      const [, pid] = await client.receives(/^HTTP\/1\.1 200 [\s\S]*pid (\d+)\n/)
      process.kill(Number(pid), 'SIGKILL')
      await client.closed
      t.notMatch(client.text, /\r\n0\r\n\r\n$/, 'no end of chunks')
      if (query !== '') {
        t.match(client.text, /content-length: 1000\r\n/i)
        t.ok(client.text.length < 1000, 'no body of that length')
      }
      await until('the log', () => log.some((line) => line.includes('response broken off')))
      const next = await ask(port, '/pid.php', { limit: PROMPTLY })
      t.equal(next.status, 200, 'the next worker answers')
    })
}

async function clientsThatGo(t: Test, upstream: string): Promise<void> {
  const start = async (t: Test, adapter: AdapterName) => {
    const directory = t.testdir()
    const file = (name: string): string => join(directory, name)
    const env = { TEST_DIR: directory }
    return { ...(await startAdapter(t, adapter, { upstream, root: SITE, env })), file }
  }
  const isFree = async (t: Test, port: number) => {
    const { status } = await ask(port, '/pid.php', { limit: PROMPTLY })
    t.equal(status, 200, 'the only worker is free')
  }

  await eachAdapter(t, 'a client that goes stops the script', async (t, adapter) => {
    const { port, file } = await start(t, adapter)
    const client = await RawConversation.start(
      port,
      'GET /endless.php HTTP/1.1\r\nHost: localhost\r\n\r\n',
    )
    await client.receives(/xxx/)
    client.socket.destroy()
    const stopped = file('stopped')
    await until('the end of the script', () => readIfThere(stopped).length === 3)
    t.equal(readIfThere(stopped), '1 1', 'connection_aborted() and connection_status()')
    await isFree(t, port)
  })

  await eachAdapter(t, 'a client that goes before it is answered', async (t, adapter) => {
    const { port, file, server } = await start(t, adapter)
    // The first occupies the only worker, the second waits for it.
    const request = 'GET /endless.php HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const first = await RawConversation.start(port, request)
    await first.receives(/xxx/)
    const arrived = once(server, 'request')
    const second = await RawConversation.start(port, request.replace('endless', 'upload'))
    await arrived
    second.socket.destroy()
    first.socket.destroy()
    await isFree(t, port)
    t.notOk(existsSync(file('completed')), 'the script did not come to its end')
  })

  // PHP reads the body of a POST before the script begins, that of a PUT when the script asks for it.
  for (const method of ['POST', 'PUT'])
    await eachAdapter(
      t,
      `a client that goes in the middle of its ${method}`,
      async (t, adapter) => {
        if (method === 'PUT' && skipsOnWasm(t, 'body')) return
        const { port, file } = await start(t, adapter)
        const client = await RawConversation.start(
          port,
          `${method} /upload.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n` +
            'x'.repeat(500_000),
        )
        await until('the bytes to leave', () => client.socket.writableLength === 0)
        if (method === 'PUT') await until('the script', () => existsSync(file('started')))
        client.socket.destroy()
        await isFree(t, port)
        t.notOk(existsSync(file('completed')), 'the script did not come to its end')
      },
    )

  await eachAdapter(t, 'a client that goes in the middle of chunks', async (t, adapter) => {
    const { port, file, log } = await start(t, adapter)
    const client = await RawConversation.start(
      port,
      'POST /upload.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `f4240\r\n${'x'.repeat(500_000)}`,
    )
    await until('the bytes to leave', () => client.socket.writableLength === 0)
    client.socket.destroy()
    await until('the log', () => log.some((line) => line.startsWith('refused')))
    await isFree(t, port)
    t.notOk(existsSync(file('started')), 'the script never began')
  })
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
