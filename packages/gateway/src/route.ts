// One route of a gateway: turns its options into the parts that resolve paths, make params and reach the application.

import type { Dispatcher } from '@fastcgi/client'
import type { Caches } from './cache/caches.ts'
import type { RouteCache } from './cache/route-cache.ts'
import { Environment, envOf } from './environment/environment.ts'
import type { Env } from './environment/environment-input.ts'
import { reservedParams } from './environment/reserved-params.ts'
import { BadRequestError } from './errors.ts'
import { Offload, type SendfileRules } from './files/offload.ts'
import type { StaticFile } from './files/static-file.ts'
import type { InternalLocation } from './files/x-accel-redirect.ts'
import type { RouteOptions, SendfileOptions } from './options.ts'
import { type BufferingRules, bufferingRules } from './response/buffered-body.ts'
import { type FieldRules, fieldRules, interception } from './response/field-rules.ts'
import { checkRoot, DocumentRoot, latin1 } from './script/document-root.ts'
import { endsWithExtension } from './script/extension.ts'
import { hasBackslash } from './script/forbidden-paths.ts'
import { type Resolution, ScriptResolver } from './script/script-resolver.ts'
import type { ScriptNames, ScriptRoute } from './script/script-route.ts'
import { routeName } from './status/route-names.ts'

/** Values that a route shares with the other routes of its gateway. */
export interface RouteContext<Source> {
  readonly maxParamsSize: number
  readonly spoolDirectory: string
  readonly dispatcher: Dispatcher
  /** Targets of X-Accel-Redirect; the gateway adds to the array after it has made the routes. */
  readonly locations: ReadonlyArray<InternalLocation<ScriptRoute<Source>>>
  readonly caches: Caches<Source>
}

/** One route: which paths are scripts, which params they get, and which application runs them. */
export class Route<Source> implements ScriptRoute<Source> {
  readonly dispatcher: Dispatcher
  /** See the constructor. */
  readonly match: string | RegExp
  readonly environment: Environment
  readonly buffering: BufferingRules
  readonly rules: FieldRules | undefined
  readonly intercepts: ((status: number) => boolean) | undefined
  readonly localRedirect: boolean
  readonly offload: Offload<ScriptRoute<Source>>
  readonly cache: RouteCache<Source> | undefined
  /** Whether params depend on the request, beside those that the environment makes of it. */
  readonly hasOwnParams: boolean
  readonly #root: string | undefined
  readonly #resolver: ScriptResolver
  readonly #documentRoot: DocumentRoot | undefined
  readonly #options: RouteOptions<Source>
  readonly #frontController: string | undefined
  readonly #all: boolean
  readonly #checkLocal: boolean
  /** The last label and its mount point: most routes have only one. */
  #label: readonly [mount: string, label: string] | undefined

  /**
   * @param where name of the caller, for messages.
   * @param match file name extension, path prefix or regular expression.
   * @throws OptionError when `root` cannot be read.
   */
  constructor(
    where: string,
    match: string | RegExp,
    options: RouteOptions<Source>,
    context: RouteContext<Source>,
  ) {
    const { maxParamsSize, spoolDirectory, dispatcher, locations } = context
    const generic = options.backendType === 'generic'
    const checkLocal = options.checkLocal ?? !generic
    const pathInfo = options.pathInfo ?? (generic ? 'all' : 'script')
    const fixRoot = options.fixRootScriptName === true && match === '/'
    this.#all = pathInfo === 'all' || fixRoot
    this.#checkLocal = checkLocal
    if (checkLocal && !this.#all) checkRoot(where, options.root)
    this.dispatcher = dispatcher
    this.match = match
    this.#options = options
    this.localRedirect = options.localRedirect ?? true
    this.buffering = bufferingRules(options.buffering, spoolDirectory)
    this.rules = fieldRules(options.responseHeaders)
    this.intercepts = interception(options.interceptErrors)
    this.#root = options.root?.replace(/(.)\/$/, '$1')
    this.#frontController = options.frontController && latin1(options.frontController)
    this.#documentRoot = documentRootOf(options)
    this.#resolver = new ScriptResolver({
      prefix: typeof match === 'string' && match.startsWith('/') ? latin1(match) : '/',
      pattern: typeof match === 'string' ? undefined : new RegExp(match),
      root: this.#root,
      index: options.index === false ? [] : [options.index ?? 'index.php'].flat().map(latin1),
      frontController: this.#frontController,
      extensions: extensionsOf(match, options),
      pathInfo: this.#all ? 'all' : pathInfo,
      checkLocal,
      followSymlinks: options.followSymlinks ?? false,
      static: options.static !== undefined && options.static !== false,
    })
    this.offload = new Offload(
      options.sendfile && sendfileRules(options.sendfile),
      locations,
      this.rules,
    )
    this.environment = environmentOf(options, maxParamsSize)
    this.cache = context.caches.get(options.cache)
    this.hasOwnParams = typeof options.env === 'function'
  }

  /** Resolves a path below the mount point. */
  resolve(path: string): Resolution | Promise<Resolution> {
    const look = this.#documentRoot?.refresh()
    return look === undefined
      ? this.#resolver.resolve(path)
      : look.then(() => this.#resolver.resolve(path))
  }

  forget(path: string): boolean {
    return this.#resolver.forget(path)
  }

  /** The name that a script with an extension of `mapExtensions` is treated as. */
  mappedName(script: string): string | undefined {
    const { mapExtensions } = this.#options
    if (mapExtensions === undefined) return undefined
    for (const [from, to] of Object.entries(mapExtensions))
      if (endsWithExtension(script, script.length, from)) return script.slice(0, -from.length) + to
    return undefined
  }

  /** The static file at a path below the root. */
  staticFile(path: string): StaticFile {
    const { followSymlinks = false, static: rules } = this.#options
    const root = latin1(this.#root ?? '/')
    return {
      root,
      path,
      followSymlinks,
      option: 'root',
      ...(typeof rules === 'object' && { rules }),
    }
  }

  label(mount: string): string {
    if (this.#label?.[0] !== mount) this.#label = [mount, routeName(mount, this.match)]
    return this.#label[1]
  }

  /** Where a script would lie on this machine; undefined if `root` is not looked at. */
  localFile(path: string): string | undefined {
    return this.#checkLocal ? this.#root && this.#root + path : undefined
  }

  /** The params that the `env` function returns for a request. */
  envFor(source: Source): Env | undefined {
    return envOf(this.#options.env, source)
  }

  /** The params that name a script. */
  names(mount: string, script: string, pathInfo: string): ScriptNames {
    const documentRoot = this.#documentRoot?.path
    const file = this.#all ? this.#frontController : script
    let scriptFilename =
      documentRoot === undefined || file === undefined ? undefined : documentRoot + file
    if (this.#options.brokenScriptFilename && this.#options.remoteRoot === undefined) {
      if (hasBackslash(pathInfo))
        throw new BadRequestError('the path of SCRIPT_FILENAME contains a backslash')
      scriptFilename = scriptFilename && scriptFilename + pathInfo
    }
    return { scriptName: mount + script, pathInfo, scriptFilename, documentRoot }
  }
}

function documentRootOf(options: RouteOptions<never>): DocumentRoot | undefined {
  const root = options.remoteRoot ?? options.root
  if (root === undefined) return undefined
  const resolve = options.resolveRoot === true && options.remoteRoot === undefined
  return new DocumentRoot(root, resolve)
}

function environmentOf(options: RouteOptions<never>, maxParamsSize: number): Environment {
  const { env, sendfile, sendfileParam } = options
  const sendfileEnv = sendfile && sendfileParam ? { [sendfileParam]: 1 } : {}
  return new Environment({
    env: { ...sendfileEnv, ...(typeof env === 'function' ? {} : env) },
    serverName: options.serverName && latin1(options.serverName),
    passHeaders: options.passHeaders ?? [],
    reserved: reservedParams(env, options.reserveParams),
    maxParamsSize,
    stripRequestUri: options.stripRequestUri?.replace(/\/$/, ''),
  })
}

function sendfileRules({ roots, decode = false }: SendfileOptions): SendfileRules {
  return { roots: roots.map(latin1), decode }
}

function extensionsOf(match: string | RegExp, options: RouteOptions<never>): readonly string[] {
  const base =
    typeof match === 'string' && match.startsWith('.')
      ? [match]
      : (options.extensions ?? (options.backendType === 'generic' ? [] : ['.php']))
  const mapped = Object.entries(options.mapExtensions ?? {})
    .filter(([, target]) => base.includes(target))
    .map(([from]) => from)
  return [...base, ...mapped]
}
