// Puts the options of command line, environment and configuration file together, and fills in what is left out.
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { OptionError, parseAddress } from '@fastcgi/client'
import type { GatewayOptions } from '@fastcgi/gateway'
import { checkGatewayOptions } from '@fastcgi/gateway/internal'
import { readUpstreamTLS } from '../upstream-tls.ts'
import type { ServeArguments } from './arguments.ts'
import type { ServeConfig } from './config.ts'
import { parseListen } from './config.ts'
import { readConfigFile } from './config-file.ts'
import { environmentOptions } from './environment.ts'
import type { ConfigValues } from './option-values.ts'
import { checkDirectory, publicDirectory, type Site, siteOf } from './site.ts'
import { type TrustFunction, trustFunction } from './trust-proxy.ts'

/** Where to listen. */
export interface Listen {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /** Whether the next ports are tried if this one is in use. */
  readonly search: boolean
}

type ServerOption =
  | 'adapter'
  | 'accessLog'
  | 'dev'
  | 'grace'
  | 'http2'
  | 'https'
  | 'logLevel'
  | 'php'
  | 'statusPage'
type WithDefault = 'adapter' | 'accessLog' | 'dev' | 'grace' | 'http2' | 'logLevel'

/** Settings of `fastcgi serve`, complete and checked. */
export interface Settings
  extends Pick<ServeConfig, Exclude<ServerOption, WithDefault>>,
    Required<{ [Name in WithDefault]: NonNullable<ServeConfig[Name]> }> {
  readonly listen: Listen
  /** Number of Node processes. */
  readonly workers: number
  /** Which proxies in front are believed; undefined for none. */
  readonly trust: TrustFunction | undefined
  readonly root: string
  readonly site: Site
  /** Options of the gateway; without `upstream` PHP is to be started. */
  readonly gateway: GatewayOptions<never>
  /** The configuration file that was read. */
  readonly file: string | undefined
  /** What is not an error, but to be said. */
  readonly warnings: readonly string[]
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8080

/** @throws OptionError that names the option as it was written, or file and line. */
export async function loadSettings(
  args: ServeArguments,
  env: NodeJS.ProcessEnv,
  isTerminal: boolean,
): Promise<Settings> {
  const directory = resolve(args.directory ?? '.')
  if (args.directory !== undefined) checkDirectory(directory)
  const environment = environmentOptions(env)
  const { config = env.FASTCGI_CONFIG } = args
  const file = await readConfigFile(directory, config === '' ? undefined : config)
  const sources = [file?.values ?? {}, environment.values, args.values]
  const values = sources.reduce(mergeSource, {}) as ServeConfig
  const settings = complete(values, directory, isTerminal)
  return { ...settings, file: file?.file, warnings: environment.warnings }
}

/** Adds what a later source says. `listen` and `port` are two names of one thing. @throws OptionError if a source has both. */
function mergeSource(base: ConfigValues, over: ConfigValues): ConfigValues {
  if (over.listen !== undefined && over.port !== undefined)
    throw new OptionError('options --listen and --port: give one of them')
  const { listen, port, ...others } = base
  const isNew = over.listen !== undefined || over.port !== undefined
  return merge(isNew ? others : base, over)
}

/** Later values win; objects are merged by property. */
function merge(base: ConfigValues, over: ConfigValues): ConfigValues {
  const merged = { ...base }
  for (const [name, value] of Object.entries(over)) {
    const before = merged[name]
    merged[name] = isPlain(before) && isPlain(value) ? merge(before, value) : value
  }
  return merged
}

function isPlain(value: unknown): value is ConfigValues {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

function complete(
  config: ServeConfig,
  directory: string,
  isTerminal: boolean,
): Omit<Settings, 'file' | 'warnings'> {
  checkTogether(config)
  const { listen, port, workers, route = '.php', site, ...others } = config
  const { adapter, accessLog, dev, grace, http2, https, logLevel, php, ...more } = others
  const { statusPage, trustProxy, root: given, tls, ...gateway } = more
  const everyPath = route === '/'
  const root = rootDirectory(given, directory, everyPath)
  const kind = everyPath ? undefined : siteOf(root, site)
  const where = listenAddress(listen, port)
  const isDev = dev ?? (isTerminal && isLoopback(where.host))
  const settings = {
    listen: where,
    workers: workers === 'auto' ? availableParallelism() : (workers ?? 1),
    adapter: adapter ?? 'fastify',
    accessLog: accessLogOf(accessLog, isTerminal),
    dev: isDev,
    grace: grace ?? 10_000,
    http2: http2 ?? true,
    https,
    logLevel: logLevel ?? 'info',
    php,
    statusPage,
    trust: trustProxy === undefined ? undefined : trustFunction(trustProxy),
    root,
    site: kind ?? { title: 'every path', by: undefined, options: {} },
    gateway: {
      routes: [{ match: route }],
      checkLocal: !everyPath,
      errorPage: { details: isDev },
      ...kind?.options,
      ...gateway,
      ...(tls && { tls: readUpstreamTLS(tls) }),
      root,
      deny: [...(kind?.options.deny ?? []), ...(gateway.deny ?? []), 'fastcgi.config.*'],
    },
  } as const
  checkGatewayOptions('fastcgi serve', settings.gateway)
  return settings
}

/** @throws OptionError for options that exclude or need each other. */
function checkTogether({ route, site, upstream, https, trustProxy, adapter }: ServeConfig): void {
  if (route === '/' && site !== undefined)
    throw new OptionError('option --site goes with --route .php: it concerns files of the root')
  if (route === '/' && upstream === undefined)
    throw new OptionError('option --route / needs --upstream: PHP has scripts')
  if ((https?.cert === undefined) !== (https?.key === undefined))
    throw new OptionError('options --tls-cert and --tls-key: give both of them')
  if (trustProxy !== undefined && adapter === 'http')
    throw new OptionError(
      'option --trust-proxy goes with --adapter fastify or express: node:http knows no proxies',
    )
  checkUpstreams(upstream)
}

function accessLogOf(given: ServeConfig['accessLog'], isTerminal: boolean): Settings['accessLog'] {
  if (given === true) return isTerminal ? 'line' : 'json'
  return given ?? (isTerminal ? 'line' : false)
}

/** @throws OptionError for an address that cannot be one; other kinds of upstreams are checked by the gateway. */
function checkUpstreams(upstream: ServeConfig['upstream']): void {
  for (const address of [upstream].flat()) {
    if (typeof address !== 'string' || /^(?:balancer|srv|dns):/.test(address)) continue
    try {
      parseAddress(address)
    } catch (error) {
      throw new OptionError(`option --upstream: ${(error as Error).message}`)
    }
  }
}

/** @param remote whether only the application accesses the directory, possibly on another machine. */
function rootDirectory(given: string | undefined, directory: string, remote: boolean): string {
  if (given === undefined) return remote ? directory : publicDirectory(directory)
  const root = resolve(given)
  if (!remote) checkDirectory(root)
  return root
}

function listenAddress(listen: ServeConfig['listen'], port: number | undefined): Listen {
  if (port !== undefined) return { host: DEFAULT_HOST, port, search: false }
  if (listen === undefined) return { host: DEFAULT_HOST, port: DEFAULT_PORT, search: true }
  const address = parseListen(String(listen))
  if (address === undefined) throw new OptionError(`option --listen: ${listen} is no address`)
  return { ...address, search: false }
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return /^127\.|^::1$|^localhost$/.test(host)
}
