import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { OptionError } from '@fastcgi/client'
import type { GatewayOptions } from '@fastcgi/gateway'

export const SERVE_USAGE = `fastcgi serve --upstream ADDRESS --root DIR [options]
  --listen HOST:PORT         where to serve (default 127.0.0.1:8080; [::1]:8080 for IPv6)
  --upstream ADDRESS         unix:/run/php/php-fpm.sock, host:9000, fcgi://host:9000
  --root DIR                 directory of the site
  --adapter NAME             fastify (default), express or http
  --route .php | /           .php (default): scripts, and static files beside them;
                             /: every path goes to the application
  --index FILE               file that stands for a directory (default index.php)
  --front-controller PATH    script for whatever is no script and no file, such as /index.php
  --remote-root DIR          what the application calls the root, if it sees it elsewhere
  --reuse | --no-reuse       keep connections to the application (default: keep, fairly)
  --max-connections N        most connections to the application (default: learned)
  --access-log               log every request
  --log-level LEVEL          trace, debug, info (default), warn, error, fatal, silent`

const ADAPTERS = ['fastify', 'express', 'http'] as const
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** What `fastcgi serve` is asked to do. */
export interface ServeOptions {
  host: string
  port: number
  adapter: (typeof ADAPTERS)[number]
  accessLog: boolean
  logLevel: (typeof LEVELS)[number]
  gateway: Omit<GatewayOptions, 'env' | 'routes'> & { routes: Array<{ match: string }> }
}

/** Reads the command line. @throws OptionError that names the option. */
export function parseServeOptions(args: string[]): ServeOptions | 'help' {
  const values = parse(args)
  if (values.help) return 'help'
  const { upstream, root, index } = values
  if (upstream === undefined) throw missing('upstream', 'unix:/run/php/php-fpm.sock')
  if (root === undefined) throw missing('root', '/var/www/site')
  const route = values.route ?? '.php'
  if (!/^[./]/.test(route)) throw wrong('route', route, "an ending such as '.php', or '/'")
  return {
    ...parseListen(values.listen ?? '127.0.0.1:8080'),
    adapter: choice('adapter', values.adapter ?? 'fastify', ADAPTERS),
    accessLog: values['access-log'] ?? false,
    logLevel: choice('log-level', values['log-level'] ?? 'info', LEVELS),
    gateway: {
      upstream,
      root: resolve(root),
      remoteRoot: values['remote-root'],
      frontController: values['front-controller'],
      reuse: values.reuse,
      maxConnections: parseCount(values['max-connections']),
      ...(index === undefined ? {} : { index }),
      ...(route.startsWith('/') ? { checkLocal: false } : { static: true }),
      routes: [{ match: route }],
    },
  }
}

function parse(args: string[]): ReturnType<typeof parseStrictly> {
  try {
    return parseStrictly(args)
  } catch (error) {
    throw new OptionError((error as Error).message)
  }
}

function parseStrictly(args: string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  return parseArgs({
    args,
    allowNegative: true,
    options: {
      listen: text,
      upstream: text,
      root: text,
      adapter: text,
      route: text,
      index: text,
      'front-controller': text,
      'remote-root': text,
      reuse: flag,
      'max-connections': text,
      'access-log': flag,
      'log-level': text,
      help: { ...flag, short: 'h' },
    },
  }).values
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(.*):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65_535) throw wrong('listen', text, 'HOST:PORT or PORT')
  return { host: (match[1] || '127.0.0.1').replace(/^\[(.*)\]$/, '$1'), port }
}

function parseCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,4}$/.test(text)) throw wrong('max-connections', text, 'a number from 1')
  return Number(text)
}

function choice<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((known) => known === value)
  if (found === undefined) throw wrong(name, value, `one of ${values.join(', ')}`)
  return found
}

function missing(name: string, example: string): OptionError {
  return new OptionError(`option --${name} is missing; for instance --${name} ${example}`)
}

function wrong(name: string, value: string, wanted: string): OptionError {
  return new OptionError(`option --${name} must be ${wanted}; got ${value}`)
}
