import { GatewayError, gatewayError } from '../error-status.ts'
import type { GatewayResponse } from '../responder.ts'
import {
  type InternalLocation,
  type InternalRun,
  internalTarget,
  keptFields,
} from './accel-redirect.ts'
import { type ResponseStart, withoutBody } from './file-response.ts'
import { type FileReceiver, sendFile, sendParts } from './send-file.ts'
import { parseSendfile, parseSendfile2 } from './sendfile-headers.ts'

/** Which files applications may hand over by X-Sendfile, X-LIGHTTPD-send-file and X-Sendfile2. */
export interface SendfileRules {
  /** Absolute paths of directories, in latin1. */
  readonly roots: readonly string[]
  /** Whether the path in X-Sendfile is percent-encoded; that in X-Sendfile2 always is. */
  readonly decode: boolean
}

/** A field by which an application has something else sent in the place of its body. */
export interface HandoverField {
  /** In lower case. */
  readonly name: string
  readonly value: string
}

/** Who gets the response, and whose field it was. */
export interface HandoverContext<Source> extends FileReceiver {
  /** SCRIPT_FILENAME as it was sent, for messages. */
  readonly scriptFilename: string | undefined
  /** Runs a path of an internal route. */
  readonly rerun: (run: InternalRun<Source>) => Promise<GatewayResponse>
}

/** In the order in which they count, as with lighttpd. */
const NAMES = ['x-sendfile2', 'x-sendfile', 'x-lighttpd-send-file', 'x-accel-redirect']

/** Sends what applications name in header fields instead of their bodies, as far as the options allow. */
export class Handover<Source> {
  readonly #sendfile: SendfileRules | undefined
  readonly #locations: ReadonlyArray<InternalLocation<Source>>

  constructor(
    sendfile: SendfileRules | undefined,
    locations: ReadonlyArray<InternalLocation<Source>>,
  ) {
    this.#sendfile = sendfile
    this.#locations = locations
  }

  /** Whether the option is given that governs a field; without it the field is left alone. */
  isOn({ name }: HandoverField): boolean {
    return name === 'x-accel-redirect' ? this.#locations.length > 0 : this.#sendfile !== undefined
  }

  /**
   * The response that a field asks for. What is refused is logged.
   * @throws GatewayError unless the application's own status tells more.
   */
  async fulfil(
    field: HandoverField,
    context: HandoverContext<Source>,
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
    { name, value }: HandoverField,
    context: HandoverContext<Source>,
    start: ResponseStart,
  ): Promise<GatewayResponse> {
    const { roots = [], decode = false } = this.#sendfile ?? {}
    const place = { roots, option: 'sendfile' }
    return name === 'x-sendfile2'
      ? sendParts(context, place, parseSendfile2(value), start)
      : sendFile({ ...context, ...place, ...start, path: parseSendfile(value, decode) })
  }

  async #redirect(
    { value }: HandoverField,
    context: HandoverContext<Source>,
    { headers }: ResponseStart,
  ): Promise<GatewayResponse> {
    const { target, path, rest, query } = internalTarget(value, this.#locations)
    const kept = keptFields(headers)
    if (typeof target !== 'string') return context.rerun({ route: target, path, query, kept })
    const place = { roots: [target], option: 'accel', path: target + rest }
    return sendFile({ ...context, ...place, headers: kept })
  }
}

/**
 * The fields of a response head by which something else is sent than the body behind it, in the order in which they
 * count; those that name nothing are left out.
 * @param instructions those of the fields that are for the gateway, with names in lower case.
 * @param statusGiven whether the application gave a status.
 */
export function handoverFields(
  flat: readonly string[],
  instructions: readonly string[],
  statusGiven: boolean,
): readonly HandoverField[] {
  if (!statusGiven && isLocalRedirect(flat)) return [{ name: 'location', value: flat[1] ?? '' }]
  if (instructions.length === 0) return NONE
  const found = new Map<string, string>()
  for (let at = 0; at + 1 < instructions.length; at += 2) {
    const name = instructions[at] ?? ''
    const value = instructions[at + 1] ?? ''
    if (value.trim() === '') continue
    const before = found.get(name)
    // Of several X-Sendfile2 each one counts, of others the first.
    if (before === undefined) found.set(name, value)
    else if (name === 'x-sendfile2') found.set(name, `${before},${value}`)
  }
  return NAMES.filter((name) => found.has(name)).map((name) => ({
    name,
    value: found.get(name) ?? '',
  }))
}

const NONE: readonly HandoverField[] = []

/** RFC 3875 §6.2.2: a path as Location, and nothing else; two slashes would name another host. */
function isLocalRedirect(flat: readonly string[]): boolean {
  const [name = '', value = ''] = flat
  return flat.length === 2 && name.toLowerCase() === 'location' && /^\/(?!\/)/.test(value)
}

function refused<Source>(
  { name }: HandoverField,
  { req, logger, scriptFilename }: HandoverContext<Source>,
  err: GatewayError,
): void {
  const message = (err.cause as Error | undefined)?.message ?? err.message
  const text = `${req.method} ${name} of ${scriptFilename ?? 'the application'} refused: ${message}`
  if (err.status >= 500) logger.error({ err, scriptFilename }, text)
  else logger.warn({ err, scriptFilename }, text)
}
