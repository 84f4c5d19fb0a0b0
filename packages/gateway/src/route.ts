import type { Dispatcher } from '@fastcgi/client'
import { Environment, envOf } from './environment/environment.ts'
import type { Env } from './environment/request-facts.ts'
import type { InternalLocation } from './files/accel-redirect.ts'
import { Offload, type SendfileRules } from './files/offload.ts'
import type { StaticFile } from './files/static-file.ts'
import type { RouteOptions, SendfileOptions } from './options.ts'
import { type BufferingRules, bufferingRules } from './response/response-buffer.ts'
import { checkRoot, DocumentRoot, latin1 } from './script/document-root.ts'
import { type Resolution, ScriptResolver } from './script/script-resolver.ts'
import type { ScriptNames, ScriptRoute } from './script/script-route.ts'

/** What a route shares with the others of its gateway. */
export interface RouteSurroundings<Source> {
  readonly maxParamsSize: number
  readonly spoolDirectory: string
  readonly dispatcher: Dispatcher
  /** What X-Accel-Redirect may name; filled in after the routes have been made. */
  readonly locations: ReadonlyArray<InternalLocation<ScriptRoute<Source>>>
}

/** One route, ready to use: which paths are scripts, what they are told, and who runs them. */
export class Route<Source> implements ScriptRoute<Source> {
  readonly dispatcher: Dispatcher
  readonly environment: Environment
  readonly buffering: BufferingRules
  readonly localRedirect: boolean
  readonly offload: Offload<ScriptRoute<Source>>
  readonly #root: string | undefined
  readonly #resolver: ScriptResolver
  readonly #documentRoot: DocumentRoot | undefined
  readonly #options: RouteOptions<Source>
  readonly #frontController: string | undefined
  readonly #all: boolean

  /**
   * @param where whose options these are, for messages.
   * @param match ending or path prefix.
   * @param locations where X-Accel-Redirect may lead; filled later.
   * @throws OptionError when root cannot be read.
   */
  constructor(
    where: string,
    match: string,
    options: RouteOptions<Source>,
    around: RouteSurroundings<Source>,
  ) {
    const { maxParamsSize, spoolDirectory, dispatcher, locations } = around
    const generic = options.backendType === 'generic'
    const checkLocal = options.checkLocal ?? !generic
    const pathInfo = options.pathInfo ?? (generic ? 'all' : 'script')
    const fixRoot = options.fixRootScriptName === true && match === '/'
    this.#all = pathInfo === 'all' || fixRoot
    if (checkLocal && !this.#all) checkRoot(where, options.root)
    this.dispatcher = dispatcher
    this.#options = options
    this.localRedirect = options.localRedirect ?? true
    this.buffering = bufferingRules(options.buffering, spoolDirectory)
    this.#root = options.root?.replace(/(.)\/$/, '$1')
    this.#frontController = options.frontController && latin1(options.frontController)
    const sentRoot = options.remoteRoot ?? options.root
    this.#documentRoot =
      sentRoot === undefined
        ? undefined
        : new DocumentRoot(
            sentRoot,
            options.resolveRoot === true && options.remoteRoot === undefined,
          )
    this.#resolver = new ScriptResolver({
      prefix: match.startsWith('/') ? latin1(match) : '/',
      root: this.#root,
      index: options.index === false ? [] : [options.index ?? 'index.php'].flat().map(latin1),
      frontController: this.#frontController,
      extensions: extensionsOf(match, options),
      pathInfo: this.#all ? 'all' : pathInfo,
      checkLocal,
      followSymlinks: options.followSymlinks ?? false,
      static: options.static ?? false,
    })
    const { sendfile, sendfileParam } = options
    this.offload = new Offload(sendfile && rulesOf(sendfile), locations)
    const offered = sendfile && sendfileParam ? { [sendfileParam]: 1 } : {}
    this.environment = new Environment({
      env: { ...offered, ...(typeof options.env === 'function' ? {} : options.env) },
      serverName: options.serverName && latin1(options.serverName),
      passHeaders: options.passHeaders ?? [],
      maxParamsSize,
      stripRequestUri: options.stripRequestUri?.replace(/\/$/, ''),
    })
  }

  /** What a path below the mount point is. */
  resolve(path: string): Resolution | Promise<Resolution> {
    return this.#resolver.resolve(path)
  }

  /** Where a path below the root is on the disk. */
  staticFile(path: string): StaticFile {
    const { followSymlinks = false } = this.#options
    return { root: latin1(this.#root ?? '/'), path, followSymlinks, option: 'root' }
  }

  /** What the `env` function says of a request. */
  envFor(source: Source): Env | undefined {
    return envOf(this.#options.env, source)
  }

  /** The names of a script that was found. */
  names(mount: string, script: string, pathInfo: string): ScriptNames {
    const documentRoot = this.#documentRoot?.path
    const file = this.#all ? this.#frontController : script
    let scriptFilename =
      documentRoot === undefined || file === undefined ? undefined : documentRoot + file
    if (this.#options.brokenScriptFilename && this.#options.remoteRoot === undefined)
      scriptFilename = scriptFilename && scriptFilename + pathInfo
    return { scriptName: mount + script, pathInfo, scriptFilename, documentRoot }
  }
}

function rulesOf({ roots, decode = false }: SendfileOptions): SendfileRules {
  return { roots: roots.map(latin1), decode }
}

function extensionsOf(match: string, options: RouteOptions<never>): readonly string[] {
  const base = match.startsWith('.')
    ? [match]
    : (options.extensions ?? (options.backendType === 'generic' ? [] : ['.php']))
  const mapped = Object.entries(options.mapExtensions ?? {})
    .filter(([, target]) => base.includes(target))
    .map(([from]) => from)
  return [...base, ...mapped]
}
