import { encodeNameValues } from '@fastcgi/protocol'
import type { Settings } from '../options.ts'
import { type Carrier, Exchange, type Serve } from './exchange.ts'

/**
 * Serves the one request of a CGI program (RFC 3875): params from the environment, the body from standard input, the
 * response to standard output. `onEnd` is called when all of it has been written.
 */
export function serveCgi(settings: Settings, serve: Serve, onEnd: () => void): void {
  const { stdin, stdout, stderr } = process
  const end = (exitCode: number): void => {
    process.exitCode = exitCode
    stdin.destroy()
    stdout.end(onEnd)
  }
  const carrier: Carrier = {
    stdout(_exchange, pieces, taken) {
      stdout.write(Buffer.concat(pieces), taken)
    },
    stderr: (_exchange, text) => void stderr.write(text),
    onComplete: (exchange) => end(exchange.appStatus),
    // As a program that crashed: web servers are told of it by nothing else.
    onBroken: () => end(1),
    onHungry: () => void stdin.resume(),
  }
  const begin = { id: 1, role: 'responder', keepConnection: false } as const
  const exchange = new Exchange(begin, carrier, settings, serve)
  stdout.on('error', () => {
    exchange.abort()
    end(1)
  })
  stdin.on('data', (chunk: Buffer) => {
    exchange.onStdin(chunk)
    if (exchange.unread > 0) stdin.pause()
  })
  stdin.on('end', () => exchange.onStdinEnd())
  stdin.on('error', () => exchange.fail(400))
  const pairs = Object.entries(process.env).map(([name, value = '']): [string, string] => [
    name,
    value,
  ])
  exchange.onParams(encodeNameValues(pairs))
  exchange.onParamsEnd()
}
