import type { IncomingMessage } from 'node:http'
import { AbortedError, type Dispatcher } from '@fastcgi/client'
import { Environment, envOf } from '../environment/environment.ts'
import type { Env, RequestTarget } from '../environment/request-facts.ts'
import { ensureVariables, stripHeader, variablesFor } from '../environment/request-variables.ts'
import { imitates, Variables, variablesOf } from '../environment/variables.ts'
import { AuthorizerError } from '../errors.ts'
import type { GatewayLogger } from '../logger.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { fold, foldPath } from '../script/denied-paths.ts'
import { DocumentRoot, latin1 } from '../script/document-root.ts'
import type { Upstreams } from '../upstreams.ts'
import { basicCredentials, type Credentials } from './credentials.ts'
import { DecisionCache } from './decision-cache.ts'
import {
  challengeResponse,
  type DenialRules,
  denialOf,
  withConnection,
  withoutConnection,
} from './denial.ts'
import { type Answer, AuthorizerExchange } from './exchange.ts'
import type { AuthorizerOptions } from './options.ts'
import { type PhaseRules, phaseRules } from './phases.ts'

/** What a guard is asked. */
export interface Question<Source> {
  readonly request: GatewayRequest<Source>
  readonly target: RequestTarget
  /** Decoded path below the mount point. */
  readonly path: string
  readonly logger: GatewayLogger
  /** Fires when the client has gone. */
  readonly signal: AbortSignal
}

/** A yes, or what the client gets instead; undefined when a no is passed on. */
export type Decision = { allowed: true } | { allowed: false; response: GatewayResponse | undefined }

const MOST_REFUSED_NAMES = 100

/** One authorizer, and what its answers mean. */
export class Guard<Source> {
  readonly authoritative: boolean
  readonly docroot: string | undefined
  readonly upstreams: Upstreams
  readonly #options: AuthorizerOptions<Source>
  readonly #phase: PhaseRules
  readonly #denials: DenialRules
  readonly #dispatcher: Dispatcher
  readonly #environment: Environment
  readonly #documentRoot: DocumentRoot | undefined
  readonly #cache: DecisionCache<Source> | undefined
  readonly #patterns: readonly string[] | undefined
  readonly #stripped: readonly string[]
  readonly #refused = new Set<string>()

  /** @throws OptionError */
  constructor(options: AuthorizerOptions<Source>, upstreams: Upstreams) {
    const { env, cache, match, stripHeaders, docroot } = options
    this.#options = options
    this.authoritative = options.authoritative ?? true
    this.docroot = docroot && latin1(docroot).replace(/(.)\/$/, '$1')
    this.upstreams = upstreams
    this.#dispatcher = upstreams.get(options.upstream)
    this.#phase = phaseRules(options.phase)
    this.#denials = {
      phase: this.#phase,
      authoritative: this.authoritative,
      compat: options.compat ?? true,
      realm: options.realm ?? 'Restricted',
    }
    this.#environment = new Environment({
      env: typeof env === 'function' ? {} : (env ?? {}),
      serverName: options.serverName && latin1(options.serverName),
      passHeaders: options.passHeaders ?? [],
      maxParamsSize: options.maxParamsSize ?? 131_072,
      stripRequestUri: options.stripRequestUri?.replace(/\/$/, ''),
    })
    const root = options.remoteRoot ?? options.root
    this.#documentRoot = root === undefined ? undefined : new DocumentRoot(root, false)
    this.#cache = cache === undefined ? undefined : new DecisionCache(cache)
    this.#patterns =
      match === undefined ? undefined : (typeof match === 'string' ? [match] : match).map(fold)
    this.#stripped = Array.isArray(stripHeaders)
      ? stripHeaders.map((name: string) => name.toLowerCase())
      : []
  }

  /** Whether it is to be asked about a path below the mount point; in doubt it is. */
  matches(path: string | undefined): boolean {
    if (this.#patterns === undefined || path === undefined) return true
    const name = foldPath(path)
    return this.#patterns.some((pattern) =>
      pattern.startsWith('/')
        ? name.startsWith(pattern) || `${name}/` === pattern
        : `${name}/`.includes(`${pattern}/`) || name.endsWith('/'),
    )
  }

  /**
   * Asks; after a yes the request carries what the guard said of it. @throws AuthorizerError when the guard fails, and
   * whatever is wrong with the request itself.
   */
  async ask(question: Question<Source>): Promise<Decision> {
    const { req } = question.request
    const credentials = this.#phase.credentials ? basicCredentials(req) : undefined
    if (this.#phase.credentials && credentials === undefined)
      return { allowed: false, response: this.#unknown(req) }
    const answer = await this.#answer(question, credentials)
    if (answer === 'failed open') this.#strip(req)
    else if (!answer.allowed) return { allowed: false, response: answer.response }
    else {
      const refuse = (name: string): void => this.#refuse(name, question.logger)
      this.#grant(req, variablesOf(answer.headers, !this.#denials.compat, refuse), credentials)
    }
    return { allowed: true }
  }

  /** A client that has not said who it is. */
  #unknown(req: IncomingMessage): GatewayResponse | undefined {
    return this.authoritative ? challengeResponse(req, this.#denials.realm) : undefined
  }

  // ---- the question

  async #answer(
    question: Question<Source>,
    credentials: Credentials | undefined,
  ): Promise<Answer | 'failed open'> {
    const { source, req } = question.request
    const key = this.#cache?.keyOf(source, credentials)
    const known = key === undefined ? undefined : this.#cache?.get(key)
    if (known !== undefined) return withConnection(known, req)
    const params = this.#params(question, credentials)
    try {
      const answer = await this.#exchange(question, params)
      if (key !== undefined) this.#cache?.set(key, req.method, withoutConnection(answer))
      return answer
    } catch (cause) {
      return this.#failed(question, cause)
    }
  }

  #params(
    { request, target, path }: Question<Source>,
    credentials: Credentials | undefined,
  ): Buffer {
    const { script } = this.#options
    const documentRoot = this.#documentRoot?.path
    const file = script === undefined ? path : latin1(script)
    const variables = new Map(variablesFor(request.req)?.params)
    const extra: Record<string, Env[string]> = { ...envOf(this.#options.env, request.source) }
    if (this.#phase.apacheRole !== undefined) extra.FCGI_APACHE_ROLE = this.#phase.apacheRole
    if (credentials !== undefined) {
      variables.set('REMOTE_USER', credentials.user).set('AUTH_TYPE', 'Basic')
      variables.set('REMOTE_PASSWD', credentials.password)
      // It says the same again, in a form that is easily written to some log.
      extra.HTTP_AUTHORIZATION = null
    }
    return this.#environment.encode({
      req: request.req,
      target,
      client: request.client,
      // FastCGI 1.0 §6.3: neither CONTENT_LENGTH nor PATH_INFO, PATH_TRANSLATED and SCRIPT_NAME.
      scriptName: undefined,
      pathInfo: '',
      contentLength: undefined,
      scriptFilename: documentRoot === undefined ? undefined : documentRoot + file,
      documentRoot,
      variables,
      extra,
    })
  }

  #exchange({ request, logger, signal }: Question<Source>, params: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { req, res } = request
      const exchange = new AuthorizerExchange({
        req,
        res,
        logger,
        scriptFilename: this.#options.script,
        denial: denialOf(req, this.#denials),
        done: (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      })
      exchange.control = this.#dispatcher.dispatch(
        // To ask twice whether somebody may do something does nothing twice.
        { role: 'authorizer', params, stdin: this.#options.sendStdin, idempotent: true, signal },
        exchange,
      )
    })
  }

  #failed({ request, logger }: Question<Source>, cause: unknown): 'failed open' {
    if (cause instanceof AbortedError || cause instanceof AuthorizerError) throw cause
    const { message } = cause as Error
    const { method } = request.req
    if (this.#options.failOpen === true) {
      logger.error(
        { err: cause },
        `${method} let through (option failOpen) though the authorizer failed: ${message}`,
      )
      return 'failed open'
    }
    throw new AuthorizerError(`denied, for the authorizer failed (option failOpen): ${message}`, {
      cause,
    })
  }

  // ---- a yes

  #grant(req: IncomingMessage, said: Variables, credentials: Credentials | undefined): void {
    const granted = new Variables()
    if (credentials !== undefined) {
      granted.set('REMOTE_USER', credentials.user)
      granted.set('AUTH_TYPE', 'Basic')
    }
    granted.merge(said)
    ensureVariables(req).merge(granted)
    this.#strip(req)
    if (this.#options.stripHeaders === false) return
    for (const name of Object.keys(req.headers)) if (imitates(name, granted)) stripHeader(req, name)
  }

  /** What nobody behind the guard is to see, whatever it said. */
  #strip(req: IncomingMessage): void {
    if (this.#phase.credentials) stripHeader(req, 'authorization')
    for (const name of this.#stripped) stripHeader(req, name)
  }

  #refuse(name: string, logger: GatewayLogger): void {
    // An empty one is how the examples of the FastCGI developer's kit take the password away, which nobody gets anyway.
    if (name === 'REMOTE_PASSWD' || this.#refused.has(name)) return
    if (this.#refused.size < MOST_REFUSED_NAMES) this.#refused.add(name)
    logger.warn(
      { variable: name },
      `the authorizer's Variable-${name} is not let through: the name is one of the environment's own, or the value has control characters`,
    )
  }
}
