import { GatewayError, gatewayError } from '../error-status.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import type { OffloadField } from '../response/offload-fields.ts'
import {
  type InternalLocation,
  type InternalRun,
  internalTarget,
  keptFields,
} from './accel-redirect.ts'
import { withoutBody } from './file-response.ts'
import { type FileReceiver, sendFile, sendParts } from './send-file.ts'
import { parseSendfile, parseSendfile2 } from './sendfile-headers.ts'

/** Which files applications may hand over by X-Sendfile, X-LIGHTTPD-send-file and X-Sendfile2. */
export interface SendfileRules {
  /** Absolute paths of directories, in latin1. */
  readonly roots: readonly string[]
  /** Whether the path in X-Sendfile is percent-encoded; that in X-Sendfile2 always is. */
  readonly decode: boolean
}

/** Who gets the response, and whose field it was. */
export interface OffloadContext<Route> extends FileReceiver {
  /** SCRIPT_FILENAME as it was sent, for messages. */
  readonly scriptFilename: string | undefined
  /** Runs a path of an internal route. */
  readonly rerun: (run: InternalRun<Route>) => Promise<GatewayResponse>
}

/** Sends what applications name in header fields instead of their bodies, as far as the options allow. */
export class Offload<Route> {
  readonly #sendfile: SendfileRules | undefined
  readonly #locations: ReadonlyArray<InternalLocation<Route>>

  constructor(
    sendfile: SendfileRules | undefined,
    locations: ReadonlyArray<InternalLocation<Route>>,
  ) {
    this.#sendfile = sendfile
    this.#locations = locations
  }

  /** Whether the option is given that governs a field; without it the field is left alone. */
  isOn({ name }: OffloadField): boolean {
    return name === 'x-accel-redirect' ? this.#locations.length > 0 : this.#sendfile !== undefined
  }

  /**
   * The response that a field asks for. What is refused is logged.
   * @throws GatewayError unless the application's own status tells more.
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
      refused(field, context, error)
      const isAboutFile = error.status === 403 || error.status === 404
      // The page of an error that cannot be had is no reason to hide the error.
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
    return name === 'x-sendfile2'
      ? sendParts(context, place, parseSendfile2(value), start)
      : sendFile({ ...context, ...place, ...start, path: parseSendfile(value, decode) })
  }

  async #redirect(
    { value }: OffloadField,
    context: OffloadContext<Route>,
    { headers }: ResponseStart,
  ): Promise<GatewayResponse> {
    const { target, path, rest, query } = internalTarget(value, this.#locations)
    const kept = keptFields(headers)
    if (typeof target !== 'string') return context.rerun({ route: target, path, query, kept })
    const place = { roots: [target], option: 'accel', path: target + rest }
    return sendFile({ ...context, ...place, headers: kept })
  }
}

function refused<Route>(
  { name }: OffloadField,
  { req, logger, scriptFilename }: OffloadContext<Route>,
  err: GatewayError,
): void {
  const message = (err.cause as Error | undefined)?.message ?? err.message
  const text = `${req.method} ${name} of ${scriptFilename ?? 'the application'} refused: ${message}`
  if (err.status >= 500) logger.error({ err, scriptFilename }, text)
  else logger.warn({ err, scriptFilename }, text)
}
