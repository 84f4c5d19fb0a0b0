// Acts on X-Sendfile, X-Sendfile2, X-LIGHTTPD-send-file and X-Accel-Redirect of an application's response. The paths they
// name are checked against the allowed directories in open-within-roots.ts.

import { GatewayError, gatewayError } from '../error-status.ts'
import { type FieldRules, withAddedFields } from '../response/field-rules.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import type { OffloadField } from '../response/offload-fields.ts'
import { withoutBody } from './file-response.ts'
import { type FileReceiver, sendFile, sendParts } from './send-file.ts'
import {
  type InternalLocation,
  type InternalRun,
  internalTarget,
  keptFields,
} from './x-accel-redirect.ts'
import { parseSendfile, parseSendfile2 } from './x-sendfile.ts'

/** Which files applications may send by X-Sendfile, X-LIGHTTPD-send-file and X-Sendfile2. */
export interface SendfileRules {
  /** Absolute paths of directories, in latin1. */
  readonly roots: readonly string[]
  /** Whether the path in X-Sendfile is percent-encoded; in X-Sendfile2 it always is. */
  readonly decode: boolean
}

/** The request to respond to, and the script that sent the field. */
export interface OffloadContext<Route> extends FileReceiver {
  /** SCRIPT_FILENAME as it was sent, for messages. */
  readonly scriptFilename: string | undefined
  /** Whether guards allow the path of X-Accel-Redirect: their response, or undefined. @throws PathDeniedError */
  readonly check: (path: string) => Promise<GatewayResponse | undefined>
  /** Runs a path on an internal route. */
  readonly rerun: (run: InternalRun<Route>) => Promise<GatewayResponse>
}

/** Sends the file or runs the path that an application names in a header field, as far as the options allow. */
export class Offload<Route> {
  readonly #sendfile: SendfileRules | undefined
  readonly #locations: ReadonlyArray<InternalLocation<Route>>
  readonly #rules: FieldRules | undefined

  constructor(
    sendfile: SendfileRules | undefined,
    locations: ReadonlyArray<InternalLocation<Route>>,
    rules: FieldRules | undefined,
  ) {
    this.#sendfile = sendfile
    this.#locations = locations
    this.#rules = rules
  }

  /** Whether the option for a field is set (`accel` or `sendfile`); without it the field is ignored. */
  isOn({ name }: OffloadField): boolean {
    return name === 'x-accel-redirect' ? this.#locations.length > 0 : this.#sendfile !== undefined
  }

  /**
   * Makes the response that a field asks for. A refusal is logged.
   * @throws GatewayError, except when a file for an application's redirect or error response is missing or refused: that
   * response is then sent without a body.
   */
  async fulfil(
    field: OffloadField,
    context: OffloadContext<Route>,
    start: ResponseStart,
  ): Promise<GatewayResponse> {
    try {
      return await (field.name === 'x-accel-redirect'
        ? this.#redirect(field, context, start)
        : this.#send(field, context, start))
    } catch (cause) {
      if (cause instanceof GatewayError) throw cause
      const error = gatewayError(cause)
      logRefusal(field, context, error)
      const isAboutFile = error.status === 403 || error.status === 404
      if (isAboutFile && start.status >= 300 && field.name !== 'x-accel-redirect')
        return withoutBody(start)
      throw error
    }
  }

  async #send(
    { name, value }: OffloadField,
    context: OffloadContext<Route>,
    start: ResponseStart,
  ): Promise<GatewayResponse> {
    const { roots = [], decode = false } = this.#sendfile ?? {}
    const place = { roots, option: 'sendfile' }
    return this.#withFields(
      name === 'x-sendfile2'
        ? sendParts(context, place, parseSendfile2(value), start)
        : sendFile({ ...context, ...place, ...start, path: parseSendfile(value, decode) }),
    )
  }

  async #redirect(
    { value }: OffloadField,
    context: OffloadContext<Route>,
    { headers }: ResponseStart,
  ): Promise<GatewayResponse> {
    const { target, path, rest, query } = internalTarget(value, this.#locations)
    const refusal = await context.check(path)
    if (refusal !== undefined) return refusal
    const kept = keptFields(headers)
    if (typeof target !== 'string') return context.rerun({ route: target, path, query, kept })
    const place = { roots: [target], option: 'accel', path: target + rest }
    return this.#withFields(sendFile({ ...context, ...place, headers: kept }))
  }

  /** A response that is made of a file gets the fields of the option `responseHeaders` as well. */
  async #withFields(
    response: GatewayResponse | Promise<GatewayResponse>,
  ): Promise<GatewayResponse> {
    const made = await response
    return { ...made, headers: withAddedFields(made.headers, this.#rules) }
  }
}

function logRefusal<Route>(
  { name }: OffloadField,
  { logger, scriptFilename }: OffloadContext<Route>,
  err: GatewayError,
): void {
  const message = (err.cause as Error | undefined)?.message ?? err.message
  const text = `${name} of ${scriptFilename ?? 'the application'} refused: ${message}`
  if (err.status >= 500) logger.error({ err }, text)
  else logger.warn({ err }, text)
}
