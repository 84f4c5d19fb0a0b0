/** Servers whose requests have a server span, as the HTTP instrumentation of OpenTelemetry gives them one, and their spans. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import express from 'express'
import Fastify from 'fastify'
import type { Test } from 'tap'
import type { AdapterName } from './adapters.ts'

const exporter = new InMemorySpanExporter()

/** Registers the SDK globally, with its context manager and the propagator of the W3C. */
export function registerTracing(): NodeTracerProvider {
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  provider.register()
  return provider
}

/** The spans that have ended since the last call, server spans first. */
export function takeSpans(): ReadableSpan[] {
  const spans = exporter.getFinishedSpans()
  exporter.reset()
  return [...spans].sort((a, b) => a.kind - b.kind)
}

/** Starts a server of node:http, Express or Fastify that is mounted at /shop, except node:http. Returns its port. */
export async function startTraced(
  t: Test,
  face: AdapterName,
  options: Partial<GatewayOptions>,
): Promise<number> {
  const given = { root: '/srv/www', checkLocal: false, logger: false, ...options } as GatewayOptions
  const [server, close] = await FACES[face](given)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await close()
  })
  return (server.address() as AddressInfo).port
}

type Face = (options: GatewayOptions) => Promise<[Server, close: () => Promise<unknown>]>

const FACES: Readonly<Record<AdapterName, Face>> = {
  async fastify(options) {
    const app = Fastify({ serverFactory: (handler) => withServerSpans(handler) })
    app.register(fastcgiProxy, { prefix: '/shop', ...(options as object) } as never)
    await app.ready()
    return [app.server, () => app.close()]
  },
  async express(options) {
    const proxy = expressProxy(options as never)
    const app = express()
    app.set('env', 'test').use('/shop', proxy)
    return [withServerSpans(app), () => proxy.close()]
  },
  async http(options) {
    const gateway = createGateway(options)
    return [withServerSpans(gateway.handler), () => gateway.close()]
  },
}

function withServerSpans(handler: RequestListener): Server {
  const tracer = trace.getTracer('server')
  return createServer((req, res) => {
    const from = propagation.extract(context.active(), req.headers)
    const span = tracer.startSpan('server', { kind: SpanKind.SERVER }, from)
    res.once('close', () => span.end())
    context.with(trace.setSpan(from, span), () => handler(req, res))
  })
}
