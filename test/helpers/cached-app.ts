/** A FastCGI application whose answers a test chooses, behind a gateway with a cache. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from '@fastcgi/application'
import type { Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  type RunningAdapter,
  startAdapter,
} from './adapters.ts'
import { type RawResponse, rawRequest } from './raw-http.ts'

export type Listener = (req: IncomingMessage, res: ServerResponse) => void

/** An application and how often it has been asked. */
export interface CountedApp {
  readonly address: string
  /** The requests so far, as `GET /path`. */
  readonly asked: string[]
  close(): Promise<void>
}

/** Starts an application, which ends with the test. */
export async function startApp(t: Test, listener: Listener): Promise<CountedApp> {
  const asked: string[] = []
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`)
    listener(req, res)
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  let closed: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
  }
  const close = (): Promise<void> => (closed ??= stop())
  t.teardown(close)
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close }
}

/** Options of a gateway in front of an application that is asked for all paths. */
export function cachedOptions(
  app: CountedApp,
  cache: AdapterOptions['cache'] = true,
): AdapterOptions {
  return { upstream: app.address, root: '/', backendType: 'generic', cache }
}

export interface Site {
  readonly app: CountedApp
  readonly adapter: RunningAdapter
  get(path: string, headers?: Record<string, string>, method?: string): Promise<RawResponse>
}

/** An application behind one adapter. */
export async function startSite(
  t: Test,
  name: AdapterName,
  listener: Listener,
  options: Partial<AdapterOptions> = {},
): Promise<Site> {
  const app = await startApp(t, listener)
  const adapter = await startAdapter(t, name, { ...cachedOptions(app), ...options })
  const get: Site['get'] = (path, headers = {}, method = 'GET') => {
    const fields = Object.entries({ Host: 'example.org', ...headers })
    const lines = fields.map(([field, value]) => `${field}: ${value}\r\n`).join('')
    return rawRequest(
      adapter.port,
      `${method} ${path} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`,
    )
  }
  return { app, adapter, get }
}
