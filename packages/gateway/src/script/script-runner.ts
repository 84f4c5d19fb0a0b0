import { Readable } from 'node:stream'
import { IDEMPOTENT_METHODS } from '@fastcgi/client'
import { variablesFor } from '../environment/request-variables.ts'
import type { InternalRun } from '../files/accel-redirect.ts'
import { type GatewayLogger, reportFailure } from '../logger.ts'
import { type BodyRules, NO_BODY, type RequestBody, requestBody } from '../request/request-body.ts'
import { RequestHints } from '../request/request-hints.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import type { OffloadField } from '../response/offload-fields.ts'
import { Responder } from '../response/responder.ts'
import { mergeEnv, type RoutedRequest } from './routed-request.ts'
import type { ScriptNames, ScriptRoute } from './script-route.ts'

/** Where a request goes on to when an application wants it run elsewhere. */
export interface InternalRedirects<Source> {
  loggerOf(routed: RoutedRequest<Source>): GatewayLogger
  /** Runs an internal route (X-Accel-Redirect). */
  rerun(
    routed: RoutedRequest<Source>,
    to: InternalRun<ScriptRoute<Source>>,
  ): Promise<GatewayResponse>
  /** Follows a local redirect; undefined when the client has to. */
  followLocation(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    location: string,
  ): Promise<GatewayResponse> | undefined
}

/** A script that has been found, and what of the path is behind it. */
export interface FoundScript {
  readonly script: string
  readonly pathInfo: string
}

/** Has scripts answer requests: body, environment, exchange. */
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
      // What an application has sent on is a GET; its body went to the first script.
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
    { body, length, parsed }: RequestBody,
  ): void {
    const { request, target, done } = routed
    const { req, res } = request
    const spooled = body instanceof Readable && body !== req ? body : undefined
    let params: Buffer
    let names: ScriptNames
    try {
      names = route.names(routed.mount, script, pathInfo)
      params = route.environment.encode({
        req,
        target,
        client: request.client,
        ...names,
        contentLength: length,
        dropContentEncoding: parsed,
        variables: variablesFor(req)?.params,
        extra: mergeEnv(route.envFor(request.source), request.env),
      })
    } catch (error) {
      spooled?.destroy()
      this.#refuse(routed, error)
      return
    }
    const { scriptFilename } = names
    const responder = new Responder({
      req,
      res,
      logger: this.#redirects.loggerOf(routed),
      scriptFilename,
      done,
      buffering: route.buffering,
      spooled,
      offload: (fields, start) => this.#offload(routed, route, scriptFilename, fields, start),
    })
    responder.control = route.dispatcher.dispatch(
      {
        params,
        body,
        bodyLength: length,
        // What of a request comes straight from node:http has been seen by nobody.
        disposeBody: body === req,
        idempotent: IDEMPOTENT_METHODS.has(routed.method),
        balance: new RequestHints(req, request.client.address, routed.path),
      },
      responder,
    )
  }

  /** Something else in the place of the application's body; undefined when the options do not allow it. */
  #offload(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    scriptFilename: string | undefined,
    fields: readonly OffloadField[],
    start: ResponseStart,
  ): Promise<GatewayResponse> | undefined {
    const [first] = fields
    if (first?.name === 'location')
      return this.#redirects.followLocation(routed, route, first.value)
    const { req, res } = routed.request
    const logger = this.#redirects.loggerOf(routed)
    // Some send one field for each kind of server.
    const field = fields.find((each) => route.offload.isOn(each))
    if (field === undefined) {
      const option = first?.name === 'x-accel-redirect' ? 'accel' : 'sendfile'
      const text = `${first?.name} of ${scriptFilename ?? 'the application'} is not acted on`
      logger.warn({ scriptFilename }, `${req.method} ${text} without the option ${option}`)
      return undefined
    }
    const rerun = (to: InternalRun<ScriptRoute<Source>>) => this.#redirects.rerun(routed, to)
    return route.offload.fulfil(field, { req, res, logger, scriptFilename, rerun }, start)
  }

  /** A failure before there was anything to dispatch. */
  #refuse(routed: RoutedRequest<Source>, cause: unknown): void {
    const logger = this.#redirects.loggerOf(routed)
    routed.done(reportFailure(logger, routed.request.req, cause), undefined)
  }
}
