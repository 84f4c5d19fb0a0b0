/** A site with its status, and a look at all that an operator sees of it: page, JSON, metrics, events and log. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway, createStatus, type GatewayOptions } from '@fastcgi/gateway'
import type { StatusSnapshot } from '@fastcgi/gateway/internal'
import type { Test } from 'tap'
import { parsePrometheus, type Sample } from './prometheus-text.ts'
import { until } from './wait.ts'

export interface LogRecord {
  readonly message: string
  readonly [field: string]: unknown
}

/** What an operator sees. */
export interface Seen {
  json: StatusSnapshot
  /** Text of the page, without tags. */
  page: string
  metrics(): Sample[]
  log: readonly LogRecord[]
}

export interface WatchedSite {
  url: string
  look(): Seen
}

/** What is to be found everywhere. */
export interface Trace {
  member: string
  /** In the last error, the event, the page and the log. */
  message: RegExp
  remedy: RegExp
  event: string
  metric: string
  labels?: Record<string, string>
  /** Where no request fails, there is no record of it. @default true */
  logged?: boolean
  /** Where it is no error of the member. @default true */
  lastError?: boolean
}

/** Starts one; it ends with the test. */
export async function watchedSite(t: Test, options: GatewayOptions): Promise<WatchedSite> {
  const log: LogRecord[] = []
  const keep = (details: object, message: string): void => void log.push({ ...details, message })
  const logger = { info: keep, warn: keep, error: keep }
  const gateway = createGateway({ logger, retries: 0, ...options })
  const status = createStatus({ dispatchers: () => gateway.dispatchers })
  const server = createServer(gateway.handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await gateway.close()
  })
  const body = (format: string): string =>
    status.respond({ method: 'GET', url: `/?format=${format}`, headers: {} }).body
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    look: () => ({
      json: JSON.parse(body('json')),
      page: textOf(body('html')),
      metrics: () => parsePrometheus(t, body('prometheus')),
      log,
    }),
  }
}

/** Waits until something is seen everywhere; fails with what is not. */
export async function seenEverywhere(t: Test, site: WatchedSite, trace: Trace): Promise<void> {
  const { member, message, remedy, event, metric, labels = {} } = trace
  await until(`the event ${event} of ${member}`, () =>
    site
      .look()
      .json.events.some(
        (found) => found.kind === event && found.member === member && message.test(found.message),
      ),
  )
  const { json, page, metrics, log } = site.look()
  const members = json.dispatchers.flatMap((dispatcher) => dispatcher.members)
  const shown = members.find(({ name }) => name === member)
  if (trace.lastError ?? true) t.match(shown?.lastError, { message, remedy }, 'JSON')
  const found = json.events.find(({ kind, message: text }) => kind === event && message.test(text))
  t.match(found, { member, remedy }, 'event')
  t.ok(page.includes(member), 'page: the member')
  t.match(page, message, 'page: what has happened')
  t.match(page, remedy, 'page: what to do')
  const wanted = Object.entries({ member, ...labels })
  const value = metrics().find(
    (sample) =>
      sample.name === metric &&
      wanted.every(([label, text]) => (sample.labels[label] ?? text) === text),
  )?.value
  t.ok((value ?? 0) > 0, `metrics: ${metric} is ${value}`)
  if (trace.logged === false) return
  const record = log.find((one) => message.test(one.message))
  t.match(record, { member }, 'log: the member')
  t.match(JSON.stringify(record), remedy, 'log: what to do')
}

function textOf(html: string): string {
  const text = html.replace(/<(style|script)[^>]*>.*?<\/\1>/gs, '').replace(/<[^>]+>/g, ' ')
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return text.replace(/&(#?\w+);/g, (whole, name) => entities[name] ?? whole).replace(/\s+/g, ' ')
}
