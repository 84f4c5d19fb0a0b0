/** Failures of addresses, and of applications that are no php-fpm. */
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { fastcgiProxy } from '@fastcgi/fastify'
import type { GatewayOptions } from '@fastcgi/gateway'
import { createProcessManager } from '@fastcgi/process-manager'
import Fastify from 'fastify'
import type { Test } from 'tap'
import { type Failure, keepLines, logOf } from './log-lines.ts'
import { eachRequest, endRecord, startPeer, stdoutRecords } from './scripted-peer.ts'
import { until } from './wait.ts'

const ROUTE = { root: '/srv/www', checkLocal: false }

async function portOf(t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await until('its port', () => server.listening)
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The log of a request that an application answers with these bytes. */
async function answered(
  t: Test,
  parts: readonly Uint8Array[],
  options: Partial<GatewayOptions> = {},
): Promise<readonly string[]> {
  const peer = await startPeer(
    eachRequest((_request, connection) => void connection.write(...parts)),
  )
  t.teardown(() => peer.close())
  return logOf(t, { upstream: peer.address, ...ROUTE, ...options })
}

export const APPLICATION_FAILURES: Readonly<Record<string, Failure>> = {
  'php-fpm does not run': (t) => logOf(t, { upstream: 'unix:/run/php/none.sock', ...ROUTE }),
  'nothing listens on the port': (t) => logOf(t, { upstream: '127.0.0.1:1', ...ROUTE }),
  'an unknown host': (t) => logOf(t, { upstream: 'fcgi://host.invalid:9000', ...ROUTE }),
  'a port that speaks HTTP': async (t) =>
    logOf(t, { upstream: await portOf(t, createHttpServer()), ...ROUTE }),
  'a port that speaks TLS': async (t) => {
    const alert = Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46, 0])
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(alert))
    })
    return logOf(t, { upstream: await portOf(t, server), ...ROUTE })
  },
  'all members are down': (t) => {
    const members = ['127.0.0.1:1', '127.0.0.1:2'].map((address) => ({
      address,
      status: 'stopped',
    }))
    return logOf(t, { upstream: { members }, ...ROUTE } as never)
  },
  'an application that is overloaded': (t) => answered(t, [endRecord(0, 2)]),
  'no output': (t) => answered(t, [endRecord()]),
  'output that is no head': (t) => answered(t, [stdoutRecords('Warning\n\n'), endRecord()]),
  'a head that is too large': (t) =>
    answered(t, [stdoutRecords(`X: ${'x'.repeat(2000)}`)], { maxHeadSize: 1024 }),
  'more than its Content-Length': (t) =>
    answered(t, [stdoutRecords('Content-Length: 1\r\n\r\nxyz'), endRecord()]),
  'less than its Content-Length': (t) =>
    answered(t, [stdoutRecords('Content-Length: 9\r\n\r\nxyz'), endRecord()]),
  'the code names a script that is not there': async (t, { upstream, root }) => {
    const lines: string[] = []
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(fastcgiProxy, { upstream, root, replyOnly: true, logger: keepLines(lines) })
    app.get('/', (_request, reply) => reply.fastcgi('/typo.php'))
    await app.inject('/')
    return lines
  },
  'a program that ends at once': async (t) => {
    const lines: string[] = []
    const command = [process.execPath, '-e', 'console.error("no licence"); process.exit(3)']
    const manager = createProcessManager({ command, logger: keepLines(lines) })
    t.teardown(() => manager.destroy())
    await until('its end', () => lines.some((line) => line.includes('exit')))
    return lines
  },
}
