// Options of `fastcgi serve`.
import { accessSync, constants, statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { OptionError } from '@fastcgi/client'
import { type GatewayOptions, sites } from '@fastcgi/gateway'
import {
  invalidOption,
  missingOption,
  oneOf,
  parseOptions,
  upstreamAddress,
  wholeNumber,
} from './command-line.ts'

/** Help text of `fastcgi serve`. */
export const SERVE_USAGE = `fastcgi serve --upstream ADDRESS --root DIR [options]
  --listen HOST:PORT         address to listen on (default 127.0.0.1:8080; PORT alone: on 127.0.0.1;
                             [::1]:8080 for IPv6; port 0: any free one)
  --upstream ADDRESS         unix:/run/php/php-fpm.sock, host:9000, fcgi://host:9000
  --root DIR                 directory of the site
  --adapter NAME             fastify (default), express or http
  --route .php | /           .php (default): scripts, and static files beside them;
                             /: every path goes to the application
  --site NAME                options for a kind of site: php, front-controller, wordpress, dokuwiki
  --index FILE               file that stands for a directory (default index.php); can be repeated
  --front-controller PATH    script for paths that are neither script nor file, such as /index.php
  --deny PATH                refuse with 403: /data/ and all below it, or a name such as README;
                             * stands for any characters; can be repeated
  --hide-header NAME         drop this field of the application's responses; can be repeated
  --set-header 'NAME: VALUE' send this field in place of the application's; can be repeated
  --follow-symlinks          also those that point outside of the root
  --remote-root DIR          the root as the application sees it, if its path differs
  --reuse | --no-reuse       keep connections to the application (default: keep)
  --max-connections N        maximum number of connections to the application (default: learned)
  --access-log               log every request
  --log-level LEVEL          trace, debug, info (default), warn, error, fatal, silent`

const ADAPTERS = ['fastify', 'express', 'http'] as const
const ROUTES = ['.php', '/'] as const
const SITES = {
  php: sites.php,
  'front-controller': sites.frontController,
  wordpress: sites.wordpress,
  dokuwiki: sites.dokuwiki,
}
const SITE_NAMES = Object.keys(SITES) as Array<keyof typeof SITES>
const FILE_NAME = [/^[^/]+$/, 'a file name, such as index.php'] as const
const SCRIPT_PATH = [/^\//, 'a path below the root, such as /index.php'] as const
const DENY_RULE = [/^(\/|[^/]+$)/, 'a path such as /data/, or a name such as README'] as const
const FIELD_NAME = [/^[\w!#$%&'*+.^`|~-]+$/, 'the name of a field, such as X-Powered-By'] as const
const FIELD = [
  /^[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e]*$/,
  "a field such as 'X-Frame-Options: DENY'",
] as const
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const OPTIONS = {
  listen: { type: 'string' },
  upstream: { type: 'string' },
  root: { type: 'string' },
  adapter: { type: 'string' },
  route: { type: 'string' },
  site: { type: 'string' },
  index: { type: 'string', multiple: true },
  'front-controller': { type: 'string' },
  deny: { type: 'string', multiple: true },
  'hide-header': { type: 'string', multiple: true },
  'set-header': { type: 'string', multiple: true },
  'follow-symlinks': { type: 'boolean' },
  'remote-root': { type: 'string' },
  reuse: { type: 'boolean' },
  'max-connections': { type: 'string' },
  'access-log': { type: 'boolean' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Parsed options of `fastcgi serve`. */
export interface ServeOptions {
  host: string
  port: number
  adapter: (typeof ADAPTERS)[number]
  accessLog: boolean
  logLevel: (typeof LEVELS)[number]
  /** Gateway options for any adapter. `env` is left out: its type depends on the request of the framework. */
  gateway: Omit<GatewayOptions, 'env' | 'routes' | 'accel' | 'guards' | 'cache'> & {
    routes: Array<{ match: string }>
  }
}

/** Parses the command line. @throws OptionError that names the option as it is written there. */
export function parseServeOptions(args: string[]): ServeOptions | 'help' {
  const values = parseOptions(args, OPTIONS)
  if (values.help) return 'help'
  const route = oneOf('route', values.route ?? '.php', ROUTES)
  const everyPath = route === '/'
  if (everyPath && values.site !== undefined)
    throw new OptionError('option --site goes with --route .php: it concerns files of the root')
  return {
    ...listenAddress(values.listen ?? '127.0.0.1:8080'),
    adapter: oneOf('adapter', values.adapter ?? 'fastify', ADAPTERS),
    accessLog: values['access-log'] ?? false,
    logLevel: oneOf('log-level', values['log-level'] ?? 'info', LEVELS),
    gateway: {
      upstream: upstreamAddress(values.upstream),
      root: rootDirectory(values.root, everyPath),
      routes: [{ match: route }],
      checkLocal: !everyPath,
      static: !everyPath,
      ...siteOptions(values),
      responseHeaders: responseHeaders(values),
      followSymlinks: values['follow-symlinks'],
      remoteRoot: absolute('remote-root', values['remote-root']),
      reuse: values.reuse,
      maxConnections: wholeNumber('max-connections', values['max-connections'], 65_535),
    },
  }
}

type Values = ReturnType<typeof parseOptions<typeof OPTIONS>>
type Site = Pick<GatewayOptions, 'index' | 'frontController' | 'deny'>

function listenAddress(text: string): { host: string; port: number } {
  const match = /^(?:([\w.-]+|\[[\da-f:.]+(?:%\w+)?\]):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65_535)
    throw invalidOption('listen', text, 'HOST:PORT or PORT, such as 127.0.0.1:8080 or [::1]:8080')
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'), port }
}

/** @param remote whether only the application accesses the directory, possibly on another machine. */
function rootDirectory(text: string | undefined, remote: boolean): string {
  if (text === undefined) throw missingOption('root', '/var/www/site')
  const root = resolve(text)
  if (remote) return root
  try {
    if (statSync(root, { bigint: true }).isDirectory())
      accessSync(root, constants.R_OK | constants.X_OK)
    else throw invalidOption('root', root, 'a directory')
  } catch (error) {
    if (error instanceof OptionError) throw error
    throw new OptionError(`option --root cannot be read: ${(error as Error).message}`)
  }
  return root
}

/** The options of --site, overridden by --index and --front-controller and extended by --deny. */
function siteOptions({ site, index, deny = [], ...values }: Values): Site {
  const kind: Site = site === undefined ? {} : SITES[oneOf('site', site, SITE_NAMES)]
  const frontController = values['front-controller']
  return {
    index: index?.map((name) => checkPattern('index', name, ...FILE_NAME)) ?? kind.index,
    frontController:
      frontController === undefined
        ? kind.frontController
        : checkPattern('front-controller', frontController, ...SCRIPT_PATH),
    deny: [...(kind.deny ?? []), ...deny.map((rule) => checkPattern('deny', rule, ...DENY_RULE))],
  }
}

function responseHeaders({
  'hide-header': hide = [],
  'set-header': set = [],
}: Values): GatewayOptions['responseHeaders'] {
  const fields = set.map((field) => {
    const [name = '', ...value] = checkPattern('set-header', field, ...FIELD).split(':')
    return [name, value.join(':').trim()]
  })
  return {
    hide: hide.map((name) => checkPattern('hide-header', name, ...FIELD_NAME)),
    set: Object.fromEntries(fields),
  }
}

function checkPattern(name: string, value: string, pattern: RegExp, wanted: string): string {
  if (pattern.test(value)) return value
  throw invalidOption(name, value, wanted)
}

function absolute(name: string, value: string | undefined): string | undefined {
  if (value === undefined || isAbsolute(value)) return value
  throw invalidOption(name, value, 'an absolute path')
}
