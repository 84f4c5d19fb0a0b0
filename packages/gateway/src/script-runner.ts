import { Readable } from 'node:stream'
import { IDEMPOTENT_METHODS } from '@fastcgi/client'
import { variablesFor } from './authorizer/request-state.ts'
import type { InternalRun } from './files/accel-redirect.ts'
import type { ResponseStart } from './files/file-response.ts'
import type { HandoverField } from './files/handover.ts'
import { type GatewayLogger, reportFailure } from './logger.ts'
import { mergeEnv, type Passage } from './passage.ts'
import { type BodyRules, NO_BODY, type RequestBody, requestBody } from './request-body.ts'
import { RequestHints } from './request-hints.ts'
import { type GatewayResponse, Responder } from './responder.ts'
import type { Route, ScriptNames } from './route.ts'

/** Where a request goes on to when an application wants it run elsewhere. */
export interface Onward<Source> {
  loggerOf(passage: Passage<Source>): GatewayLogger
  /** Runs an internal route (X-Accel-Redirect). */
  rerun(passage: Passage<Source>, to: InternalRun<Source>): Promise<GatewayResponse>
  /** Follows a local redirect; undefined when the client has to. */
  redirectInside(
    passage: Passage<Source>,
    route: Route<Source>,
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
  readonly #onward: Onward<Source>

  constructor(bodyRules: BodyRules, onward: Onward<Source>) {
    this.#bodyRules = bodyRules
    this.#onward = onward
  }

  run(passage: Passage<Source>, route: Route<Source>, found: FoundScript): void {
    const { req, parsedBody } = passage.request
    let body: RequestBody | Promise<RequestBody>
    try {
      // What an application has sent on is a GET; its body went to the first script.
      body = passage.chain === undefined ? requestBody(req, parsedBody, this.#bodyRules) : NO_BODY
    } catch (error) {
      this.#refuse(passage, error)
      return
    }
    if (body instanceof Promise)
      body.then(
        (spooled) => this.#dispatch(passage, route, found, spooled),
        (error) => this.#refuse(passage, error),
      )
    else this.#dispatch(passage, route, found, body)
  }

  #dispatch(
    passage: Passage<Source>,
    route: Route<Source>,
    { script, pathInfo }: FoundScript,
    { body, length, parsed }: RequestBody,
  ): void {
    const { request, target, done } = passage
    const { req, res } = request
    const spooled = body instanceof Readable && body !== req ? body : undefined
    let params: Buffer
    let names: ScriptNames
    try {
      names = route.names(passage.mount, script, pathInfo)
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
      this.#refuse(passage, error)
      return
    }
    const { scriptFilename } = names
    const responder = new Responder({
      req,
      res,
      logger: this.#onward.loggerOf(passage),
      scriptFilename,
      done,
      buffering: route.buffering,
      spooled,
      handOver: (fields, start) => this.#handOver(passage, route, scriptFilename, fields, start),
    })
    responder.control = route.dispatcher.dispatch(
      {
        params,
        body,
        bodyLength: length,
        // What of a request comes straight from node:http has been seen by nobody.
        disposeBody: body === req,
        idempotent: IDEMPOTENT_METHODS.has(passage.method),
        balance: new RequestHints(req, request.client.address, passage.path),
      },
      responder,
    )
  }

  /** Something else in the place of the application's body; undefined when the options do not allow it. */
  #handOver(
    passage: Passage<Source>,
    route: Route<Source>,
    scriptFilename: string | undefined,
    fields: readonly HandoverField[],
    start: ResponseStart,
  ): Promise<GatewayResponse> | undefined {
    const [first] = fields
    if (first?.name === 'location') return this.#onward.redirectInside(passage, route, first.value)
    const { req, res } = passage.request
    const logger = this.#onward.loggerOf(passage)
    // Some send one field for each kind of server.
    const field = fields.find((each) => route.handover.isOn(each))
    if (field === undefined) {
      const option = first?.name === 'x-accel-redirect' ? 'accel' : 'sendfile'
      const text = `${first?.name} of ${scriptFilename ?? 'the application'} is not acted on`
      logger.warn({ scriptFilename }, `${req.method} ${text} without the option ${option}`)
      return undefined
    }
    const rerun = (to: InternalRun<Source>) => this.#onward.rerun(passage, to)
    return route.handover.fulfil(field, { req, res, logger, scriptFilename, rerun }, start)
  }

  /** A failure before there was anything to dispatch. */
  #refuse(passage: Passage<Source>, cause: unknown): void {
    const logger = this.#onward.loggerOf(passage)
    passage.done(reportFailure(logger, passage.request.req, cause), undefined)
  }
}
