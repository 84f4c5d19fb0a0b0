/** Failures that are made on purpose, and what is logged of them. */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createGateway, type GatewayLogger, type GatewayOptions } from '@fastcgi/gateway'
import type { Test } from 'tap'
import { ask, type Question } from './php-http.ts'

/** A real php-fpm, and the site that it runs. */
export interface PhpSite {
  readonly upstream: string
  readonly root: string
}

/** Makes something fail; returns the messages of the log, to which more may be added later. */
export type Failure = (t: Test, php: PhpSite) => Promise<readonly string[]>

export function keepLines(lines: string[]): GatewayLogger {
  const keep = (_details: object, message: string): void => void lines.push(message)
  return { info: keep, warn: keep, error: keep }
}

/** A gateway behind node:http, and the messages of its log. */
export interface LoggingGateway {
  readonly port: number
  readonly lines: string[]
}

/** Starts a gateway; it is closed with the test. */
export async function loggingGateway(
  t: Test,
  options: Partial<GatewayOptions>,
): Promise<LoggingGateway> {
  const lines: string[] = []
  const logger = keepLines(lines)
  const gateway = createGateway({ retries: 0, ...options, logger } as GatewayOptions)
  const server = createServer(gateway.handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await gateway.close()
  })
  return { port: (server.address() as AddressInfo).port, lines }
}

/** One request to a gateway of these options; a response that breaks off is no failure of the test. */
export async function logOf(
  t: Test,
  options: Partial<GatewayOptions>,
  path = '/a.php',
  question: Question = {},
): Promise<readonly string[]> {
  const { port, lines } = await loggingGateway(t, options)
  await ask(port, path, question).catch(() => undefined)
  return lines
}

/** Sends text on a connection of its own, and reads nothing. */
export function sendOnly(t: Test, port: number, text: string): void {
  const socket = connect(port, '127.0.0.1', () => socket.write(text))
  socket.on('error', () => {}).pause()
  t.teardown(() => socket.destroy())
}
