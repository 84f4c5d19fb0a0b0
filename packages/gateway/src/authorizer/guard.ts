// One authorizer of a list (a guard): asks it about a request and applies its answer to the request.

import type { IncomingMessage } from 'node:http'
import { AbortedError, type Dispatcher } from '@fastcgi/client'
import { Environment, envOf } from '../environment/environment.ts'
import type { Env, RequestTarget } from '../environment/environment-input.ts'
import { ensureVariables, stripHeader, variablesFor } from '../environment/request-variables.ts'
import { reservedParams } from '../environment/reserved-params.ts'
import { imitates, Variables, variablesOf } from '../environment/variables.ts'
import { AuthorizerError, BadRequestError } from '../errors.ts'
import type { RequestLogger } from '../logger.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { DocumentRoot, latin1 } from '../script/document-root.ts'
import { PathPatterns } from '../script/path-patterns.ts'
import type { Upstreams } from '../upstreams.ts'
import { basicCredentials, type Credentials } from './credentials.ts'
import { DecisionCache } from './decision-cache.ts'
import { challengeResponse, type DenialRules, denialOf } from './denial.ts'
import { type Answer, AuthorizerExchange } from './exchange.ts'
import type { AuthorizerOptions } from './options.ts'
import { type PhaseRules, phaseRules } from './phases.ts'

/** A request that a guard is asked about. */
export interface AuthorizationRequest<Source> {
  readonly request: GatewayRequest<Source>
  readonly target: RequestTarget
  /** Decoded path below the mount point. */
  readonly path: string
  readonly logger: RequestLogger
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal
}

/** The decision of a guard. `response` is for the client; undefined if the next guard is to decide. */
export type Decision = { allowed: true } | { allowed: false; response: GatewayResponse | undefined }

/** Refused variable names that are remembered, so that each is logged once. */
const MAX_REFUSED_NAMES = 100

/** One authorizer with its options. */
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
  readonly #patterns: PathPatterns
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
      reserved: reservedParams(env, options.reserveParams),
      maxParamsSize: options.maxParamsSize ?? 131_072,
      stripRequestUri: options.stripRequestUri?.replace(/\/$/, ''),
    })
    const root = options.remoteRoot ?? options.root
    this.#documentRoot = root === undefined ? undefined : new DocumentRoot(root, false)
    this.#cache = cache === undefined ? undefined : new DecisionCache(cache)
    this.#patterns = new PathPatterns(match)
    this.#stripped = Array.isArray(stripHeaders)
      ? stripHeaders.map((name: string) => name.toLowerCase())
      : []
  }

  /** Whether the guard is to be asked about a path below the mount point. It is asked in case of doubt. */
  matches(path: string | undefined): boolean {
    return path === undefined || this.#patterns.covers(path)
  }

  /**
   * Asks whether a request is allowed. If it is, the guard's variables are set on the request and header fields that imitate
   * them are removed.
   * @throws AuthorizerError if the guard fails; also the errors of an invalid request.
   */
  async ask(subject: AuthorizationRequest<Source>): Promise<Decision> {
    const { req } = subject.request
    const credentials = this.#phase.credentials ? basicCredentials(req) : undefined
    if (this.#phase.credentials && credentials === undefined)
      return { allowed: false, response: this.#missingCredentials() }
    const answer = await this.#decide(subject, credentials)
    if (answer === 'failed open') this.#stripFields(req)
    else if (!answer.allowed) return { allowed: false, response: answer.response }
    else {
      const refuse = (name: string): void => this.#warnRefusedVariable(name, subject.logger)
      this.#grant(req, variablesOf(answer.headers, !this.#denials.compat, refuse), credentials)
    }
    return { allowed: true }
  }

  /** The response to a request without credentials. */
  #missingCredentials(): GatewayResponse | undefined {
    return this.authoritative ? challengeResponse(this.#denials.realm) : undefined
  }

  // ---- asking

  async #decide(
    subject: AuthorizationRequest<Source>,
    credentials: Credentials | undefined,
  ): Promise<Answer | 'failed open'> {
    const { source, req } = subject.request
    const key = this.#cache?.keyOf(source, credentials)
    const known = key === undefined ? undefined : this.#cache?.get(key)
    if (known !== undefined) return known
    const params = this.#params(subject, credentials)
    try {
      const answer = await this.#exchange(subject, params)
      if (key !== undefined) this.#cache?.set(key, req.method, answer)
      return answer
    } catch (cause) {
      return this.#handleFailure(subject, cause)
    }
  }

  #params(
    { request, target, path }: AuthorizationRequest<Source>,
    credentials: Credentials | undefined,
  ): Buffer {
    const { script } = this.#options
    const documentRoot = this.#documentRoot?.path
    const file = script === undefined ? path : latin1(script)
    if (documentRoot !== undefined && file.includes('\\'))
      throw new BadRequestError('the path of SCRIPT_FILENAME contains a backslash')
    const variables = new Map(variablesFor(request.req)?.params)
    const extra: Record<string, Env[string]> = { ...envOf(this.#options.env, request.source) }
    if (this.#phase.apacheRole !== undefined) extra.FCGI_APACHE_ROLE = this.#phase.apacheRole
    if (credentials !== undefined) {
      variables.set('REMOTE_USER', credentials.user).set('AUTH_TYPE', 'Basic')
      variables.set('REMOTE_PASSWD', credentials.password)
      // It repeats the password, in a param that applications are likely to log.
      extra.HTTP_AUTHORIZATION = null
    }
    return this.#environment.encode({
      req: request.req,
      target,
      client: request.client,
      // FastCGI 1.0 §6.3: an authorizer does not get CONTENT_LENGTH, PATH_INFO, PATH_TRANSLATED and SCRIPT_NAME.
      scriptName: undefined,
      pathInfo: '',
      contentLength: undefined,
      scriptFilename: documentRoot === undefined ? undefined : documentRoot + file,
      documentRoot,
      variables,
      extra,
    })
  }

  #exchange(
    { request, logger, signal }: AuthorizationRequest<Source>,
    params: Buffer,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { req, res } = request
      const exchange = new AuthorizerExchange({
        req,
        res,
        logger,
        scriptFilename: this.#options.script,
        denial: denialOf(this.#denials),
        done: (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      })
      exchange.control = this.#dispatcher.dispatch(
        // A question to an authorizer has no side effects, so it may be repeated whatever the method of the request.
        {
          role: 'authorizer',
          params,
          script: this.#options.script,
          method: req.method,
          stdin: this.#options.sendStdin,
          idempotent: true,
          signal,
        },
        exchange,
      )
    })
  }

  #handleFailure({ logger }: AuthorizationRequest<Source>, cause: unknown): 'failed open' {
    if (cause instanceof AbortedError || cause instanceof AuthorizerError) throw cause
    const { message } = cause as Error
    if (this.#options.failOpen === true) {
      logger.error(
        { err: cause },
        `let through (option failOpen) although the authorizer failed: ${message}`,
      )
      return 'failed open'
    }
    throw new AuthorizerError(
      `denied because the authorizer failed (option failOpen): ${message}`,
      {
        cause,
      },
    )
  }

  // ---- an allowed request

  #grant(req: IncomingMessage, variables: Variables, credentials: Credentials | undefined): void {
    const granted = new Variables()
    if (credentials !== undefined) {
      granted.set('REMOTE_USER', credentials.user)
      granted.set('AUTH_TYPE', 'Basic')
    }
    granted.merge(variables)
    ensureVariables(req).merge(granted)
    this.#stripFields(req)
    if (this.#options.stripHeaders === false) return
    for (const name of Object.keys(req.headers)) if (imitates(name, granted)) stripHeader(req, name)
  }

  /** Removes the credentials and the fields named by `stripHeaders`, which no later handler may see. */
  #stripFields(req: IncomingMessage): void {
    if (this.#phase.credentials) stripHeader(req, 'authorization')
    for (const name of this.#stripped) stripHeader(req, name)
  }

  #warnRefusedVariable(name: string, logger: RequestLogger): void {
    // The examples of the FastCGI developer's kit send an empty REMOTE_PASSWD to remove the password. It is never passed
    // on, so this needs no warning.
    if (name === 'REMOTE_PASSWD' || this.#refused.has(name)) return
    if (this.#refused.size < MAX_REFUSED_NAMES) this.#refused.add(name)
    logger.warn(
      { variable: name },
      `the authorizer's Variable-${name} is not let through: its name is reserved for the gateway or its value has control characters`,
    )
  }
}
