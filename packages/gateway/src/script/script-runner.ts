// Runs a script for a request: reads the body, encodes the params, and dispatches the request to the application.

import { Readable } from 'node:stream'
import { IDEMPOTENT_METHODS } from '@fastcgi/client'
import { variablesFor } from '../environment/request-variables.ts'
import type { InternalRun } from '../files/x-accel-redirect.ts'
import { HTTPBalanceHints } from '../request/balance-hints.ts'
import { type BodyRules, NO_BODY, type RequestBody, requestBody } from '../request/request-body.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import type { OffloadField } from '../response/offload-fields.ts'
import { Responder } from '../response/responder.ts'
import { mergeEnv, type RoutedRequest } from './routed-request.ts'
import { publishScript } from './script-channel.ts'
import type { ScriptNames, ScriptRoute } from './script-route.ts'

/** Runs the internal redirects that applications ask for. The gateway implements it. */
export interface InternalRedirects<Source> {
  /**
   * Applies `deny` to the path of X-Accel-Redirect, and asks the guards that cover it. @returns the response of a guard that
   * refuses; undefined if the path is allowed. @throws PathDeniedError
   */
  checkLocation(routed: RoutedRequest<Source>, path: string): Promise<GatewayResponse | undefined>
  /** Runs a path on an internal route (X-Accel-Redirect). */
  rerun(
    routed: RoutedRequest<Source>,
    to: InternalRun<ScriptRoute<Source>>,
  ): Promise<GatewayResponse>
  /** Follows a local redirect; undefined if it is to be sent to the client. */
  followLocation(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    location: string,
  ): Promise<GatewayResponse> | undefined
}

/** A script, and the PATH_INFO after it. */
export interface FoundScript {
  readonly script: string
  readonly pathInfo: string
}

/** Runs scripts for the requests of a gateway. */
export class ScriptRunner<Source> {
  readonly #bodyRules: BodyRules
  readonly #redirects: InternalRedirects<Source>

  constructor(bodyRules: BodyRules, redirects: InternalRedirects<Source>) {
    this.#bodyRules = bodyRules
    this.#redirects = redirects
  }

  run(routed: RoutedRequest<Source>, route: ScriptRoute<Source>, found: FoundScript): void {
    const { req, parsedBody } = routed.request
    let body: RequestBody | Promise<RequestBody>
    try {
      // An internal redirect is a GET without a body; the request body went to the first script.
      body = routed.chain === undefined ? requestBody(req, parsedBody, this.#bodyRules) : NO_BODY
    } catch (error) {
      this.#refuse(routed, error)
      return
    }
    if (body instanceof Promise)
      body.then(
        (spooled) => this.#dispatch(routed, route, found, spooled),
        (error) => this.#refuse(routed, error),
      )
    else this.#dispatch(routed, route, found, body)
  }

  #dispatch(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    { script, pathInfo }: FoundScript,
    bodyToSend: RequestBody,
  ): void {
    const { request, done } = routed
    const { req, res } = request
    const { body, length } = bodyToSend
    const spooled = body instanceof Readable && body !== req ? body : undefined
    let params: Buffer
    let names: ScriptNames
    try {
      names = route.names(routed.mount, script, pathInfo)
      params = encodeParams(routed, route, names, bodyToSend)
    } catch (error) {
      spooled?.destroy()
      this.#refuse(routed, error)
      return
    }
    const { scriptFilename } = names
    routed.logger.script = scriptFilename
    publishScript(routed, scriptFilename)
    const { cacheRun } = routed
    const responder = new Responder({
      req,
      res,
      cacheRun,
      logger: routed.logger,
      scriptFilename,
      done,
      buffering: route.buffering,
      rules: route.rules,
      intercepts: route.intercepts,
      spooled,
      offload: (fields, start) => this.#offload(routed, route, scriptFilename, fields, start),
    })
    const control = route.dispatcher.dispatch(
      {
        params,
        script: scriptFilename,
        method: routed.method,
        route: routed.logger.route,
        body,
        bodyLength: length,
        // node:http keeps no reference to the chunks of a request body, so their memory may be freed once they are sent.
        disposeBody: body === req,
        idempotent: IDEMPOTENT_METHODS.has(routed.method),
        balance: new HTTPBalanceHints(req, request.client.address, routed.path),
      },
      responder,
    )
    if (cacheRun !== undefined) cacheRun.control = control
    responder.control = control
  }

  /** The response in place of the application's body; undefined if the options do not allow it. */
  #offload(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    scriptFilename: string | undefined,
    fields: readonly OffloadField[],
    start: ResponseStart,
  ): Promise<GatewayResponse> | undefined {
    const [first] = fields
    if (routed.cacheRun !== undefined) routed.cacheRun.isShareable = false
    if (first?.name === 'location')
      return this.#redirects.followLocation(routed, route, first.value)
    const { req, res } = routed.request
    const { logger } = routed
    // Some applications send one field for each kind of server; the first one that an option allows is taken.
    const field = fields.find((each) => route.offload.isOn(each))
    if (field === undefined) {
      const option = first?.name === 'x-accel-redirect' ? 'accel' : 'sendfile'
      const text = `${first?.name} of ${scriptFilename ?? 'the application'} is not acted on`
      logger.warn({ option }, `${text} without the option ${option}`)
      return undefined
    }
    const rerun = (to: InternalRun<ScriptRoute<Source>>) => this.#redirects.rerun(routed, to)
    const check = (path: string) => this.#redirects.checkLocation(routed, path)
    return route.offload.fulfil(field, { req, res, logger, scriptFilename, check, rerun }, start)
  }

  /** Ends a request that failed before it was dispatched. */
  #refuse(routed: RoutedRequest<Source>, cause: unknown): void {
    routed.done(routed.logger.failure(cause), undefined)
  }
}

function encodeParams<Source>(
  { request, target, cacheRun }: RoutedRequest<Source>,
  route: ScriptRoute<Source>,
  names: ScriptNames,
  { length, parsed, contentType }: RequestBody,
): Buffer {
  const { req, client } = request
  return route.environment.encode({
    req,
    headers: cacheRun?.fields ?? req.headers,
    target,
    client,
    ...names,
    contentLength: length,
    contentType,
    dropContentEncoding: parsed,
    variables: variablesFor(req)?.params,
    extra: mergeEnv(route.envFor(request.source), request.env),
  })
}
