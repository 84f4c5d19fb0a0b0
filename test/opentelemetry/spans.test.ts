/** A span for each exchange, under Fastify, Express and node:http, with the tracer of the SDK. */
import { connect } from 'node:net'
import { FastCGIClient } from '@fastcgi/client'
import { FastCGIInstrumentation } from '@fastcgi/opentelemetry'
import { SpanStatusCode } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import t, { type Test } from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { serverParams } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawGet } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  type Script,
  startPeer,
  stdoutRecords,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { registerTracing, startTraced, takeSpans } from '../helpers/tracing.ts'
import { until } from '../helpers/wait.ts'

const provider = registerTracing()
const instrumentation = new FastCGIInstrumentation()

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const FROM_CLIENT = [`traceparent: 00-${TRACE}-b7ad6b7169203331-01`, 'tracestate: vendor=1']

async function peerOf(t: Test, script: Script): Promise<Peer> {
  const peer = await startPeer(script)
  t.teardown(() => peer.close())
  return peer
}

function answering(head: string): Script {
  return eachRequest((_request, connection) => {
    connection.write(stdoutRecords(`${head}\r\n\r\nbody`), endRecord(0))
  })
}

/** All spans of one request, once its server span has ended. */
async function spansOf(request: Promise<unknown>): Promise<[ReadableSpan, ...ReadableSpan[]]> {
  await request.catch(() => {})
  const spans: ReadableSpan[] = []
  await until('the server span', () => spans.push(...takeSpans()) > 0 && isWhole(spans))
  return spans.sort((a, b) => a.kind - b.kind) as [ReadableSpan, ...ReadableSpan[]]
}

function isWhole(spans: readonly ReadableSpan[]): boolean {
  return spans.length > 1 && spans.some(({ name }) => name === 'server')
}

const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId

for (const face of ADAPTERS) {
  t.test(`${face}: a response`, async (t) => {
    const peer = await peerOf(t, wellBehaved())
    const port = await startTraced(t, face, { upstream: peer.address })
    const [server, client, ...more] = await spansOf(rawGet(port, '/shop/a.php', FROM_CLIENT))
    t.strictSame(more, [])
    t.match(client, {
      name: face === 'http' ? 'GET /' : 'GET /shop',
      attributes: {
        'rpc.system.name': 'fastcgi',
        'rpc.method': 'fastcgi/responder',
        'http.request.method': 'GET',
        'http.route': face === 'http' ? '/' : '/shop',
        'http.response.status_code': 200,
        'rpc.response.status_code': '0',
        'code.file.path': face === 'http' ? '/srv/www/shop/a.php' : '/srv/www/a.php',
        'server.address': peer.address.replace('unix:', ''),
        'network.transport': 'unix',
        'fastcgi.connection.reused': false,
      },
      status: { code: SpanStatusCode.UNSET },
    })
    t.equal(client?.parentSpanContext?.spanId, idOf(server), 'its parent is the active span')
    t.equal(client?.spanContext().traceId, TRACE)
    const { HTTP_TRACEPARENT, HTTP_TRACESTATE } = peer.requests[0]?.params ?? {}
    t.equal(HTTP_TRACEPARENT, `00-${TRACE}-${idOf(client)}-01`, 'not that of the client')
    t.equal(HTTP_TRACESTATE, 'vendor=1')
  })

  t.test(`${face}: nobody listens`, async (t) => {
    const port = await startTraced(t, face, { upstream: 'fcgi://127.0.0.1:1' })
    const [, client] = await spansOf(rawGet(port, '/shop/a.php'))
    t.match(client, {
      attributes: {
        'error.type': 'FCGI_CONNECT',
        'server.address': '127.0.0.1',
        'server.port': 1,
        'network.transport': 'tcp',
      },
      status: { code: SpanStatusCode.ERROR, message: /^cannot connect to 127\.0\.0\.1:1/ },
      events: [{ name: 'exception' }],
    })
    t.equal(client?.attributes['http.response.status_code'], undefined)
  })

  t.test(`${face}: statuses of the application`, async (t) => {
    for (const status of [302, 404, 500]) {
      const peer = await peerOf(t, answering(`Status: ${status}`))
      const port = await startTraced(t, face, { upstream: peer.address })
      const [, client] = await spansOf(rawGet(port, '/shop/a.php'))
      const isError = status >= 400
      t.equal(client?.attributes['error.type'], isError ? String(status) : undefined)
      t.equal(client?.status.code, isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET)
    }
  })

  t.test(`${face}: a response that breaks off`, async (t) => {
    const peer = await peerOf(
      t,
      eachRequest((_request, connection) => {
        connection.write(stdoutRecords('X: 1\r\n\r\nbegin'))
        setImmediate(() => connection.finish())
      }),
    )
    const port = await startTraced(t, face, { upstream: peer.address })
    const [, client] = await spansOf(rawGet(port, '/shop/a.php'))
    const expected = { 'http.response.status_code': 200, 'error.type': 'FCGI_PREMATURE_CLOSE' }
    t.match(client, { attributes: expected, status: { code: SpanStatusCode.ERROR } })
  })

  t.test(`${face}: a client that goes`, async (t) => {
    const peer = await peerOf(t, () => {})
    const port = await startTraced(t, face, { upstream: peer.address })
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write('GET /shop/a.php HTTP/1.1\r\nHost: x\r\n\r\n')
    await until('the request', () => peer.connections.length > 0)
    const spans = spansOf(new Promise((resolve) => socket.once('close', resolve)))
    socket.destroy()
    const [, client] = await spans
    t.match(client, { attributes: { 'error.type': 'FCGI_ABORTED' } })
  })

  t.test(`${face}: the next member answers`, async (t) => {
    const bad = await peerOf(
      t,
      eachRequest((_request, connection) => connection.finish()),
    )
    const good = await peerOf(t, wellBehaved())
    const members = [
      { address: bad.address, name: 'blue' },
      { address: good.address, name: 'green', lbset: 1 },
    ]
    const port = await startTraced(t, face, { upstream: { members } })
    const [, client, ...more] = await spansOf(rawGet(port, '/shop/a.php'))
    t.strictSame(more, [], 'one span for both attempts')
    t.match(client, {
      attributes: {
        'http.response.status_code': 200,
        'http.request.resend_count': 1,
        'fastcgi.member': 'green',
        'server.address': good.address.replace('unix:', ''),
      },
      events: [
        {
          name: 'fastcgi.attempt_failed',
          attributes: { 'fastcgi.member': 'blue', 'error.type': 'FCGI_PREMATURE_CLOSE' },
        },
      ],
      status: { code: SpanStatusCode.UNSET },
    })
    const sent = [bad, good].map(({ requests }) => requests[0]?.params.HTTP_TRACEPARENT)
    t.equal(sent[0], sent[1], 'both got the same span')
    t.match(sent[0], new RegExp(`-${idOf(client)}-`))
  })

  t.test(`${face}: an authorizer, and what it guards`, async (t) => {
    const peer = await peerOf(t, wellBehaved())
    for (const status of [200, 403]) {
      const asked = await peerOf(t, answering(`Status: ${status}`))
      const guards = [{ authorizer: { upstream: asked.address, root: '/srv' } }]
      const port = await startTraced(t, face, { upstream: peer.address, guards })
      const [server, authorizer, responder] = await spansOf(rawGet(port, '/shop/a.php'))
      t.match(authorizer, {
        name: 'fastcgi/authorizer',
        attributes: { 'rpc.method': 'fastcgi/authorizer', 'http.response.status_code': status },
        status: { code: SpanStatusCode.UNSET },
      })
      t.equal(authorizer?.parentSpanContext?.spanId, idOf(server))
      t.match(asked.requests[0]?.params.HTTP_TRACEPARENT, new RegExp(`-${idOf(authorizer)}-`))
      if (status === 403) t.equal(responder, undefined)
      else t.equal(responder?.parentSpanContext?.spanId, idOf(server))
    }
  })
}

t.test('PHP gets the span', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const port = await startTraced(t, 'http', {
    upstream: php.address,
    root: SITE,
    checkLocal: true,
  })
  const { HTTP_TRACEPARENT } = await serverParams(port, '/server.php', FROM_CLIENT)
  const [, client] = await spansOf(Promise.resolve())
  t.equal(HTTP_TRACEPARENT, `00-${TRACE}-${idOf(client)}-01`)
})

t.test('without HTTP, and the options', async (t) => {
  const peer = await peerOf(t, wellBehaved())
  const client = new FastCGIClient(peer.address)
  t.teardown(() => client.close())
  const ask = async (params: Record<string, string> = {}): Promise<ReadableSpan[]> => {
    await (await client.request({ params })).text()
    return takeSpans()
  }
  t.match(await ask(), [{ name: 'fastcgi/responder' }])
  const [odd] = await ask({ REQUEST_METHOD: 'BREW', SCRIPT_FILENAME: '/a.php' })
  t.match(odd, {
    name: 'HTTP',
    attributes: {
      'http.request.method': '_OTHER',
      'http.request.method_original': 'BREW',
      'code.file.path': '/a.php',
    },
  })
  t.equal(odd?.parentSpanContext, undefined)
  instrumentation.setConfig({ requireParent: true })
  t.strictSame(await ask(), [])
  instrumentation.setConfig({ ignore: ({ script }) => script === '/ping' })
  t.strictSame(await ask({ SCRIPT_FILENAME: '/ping' }), [])
  t.equal((await ask({ SCRIPT_FILENAME: '/other' })).length, 1)
  instrumentation.setConfig({
    ignore: () => {
      throw new Error('of the user')
    },
  })
  t.equal((await ask()).length, 1)
  instrumentation.disable()
  t.equal(instrumentation.getConfig().enabled, false)
  t.strictSame(await ask(), [])
  t.equal(peer.requests.at(-1)?.params.HTTP_TRACEPARENT, undefined)
  const stop = registerInstrumentations({
    instrumentations: [instrumentation],
    tracerProvider: provider,
  })
  t.equal((await ask()).length, 1, 'registerInstrumentations() enables it')
  stop()
  t.strictSame(await ask(), [])
})
