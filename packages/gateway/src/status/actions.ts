// Changes to balancers that the forms of the status page ask for, and the checks against forged requests (CSRF).

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type Balancer, type Dispatcher, type MemberStatus, OptionError } from '@fastcgi/client'
import { balancerOf } from './unwrap.ts'

/** Fields of a form. */
export type Form = ReadonlyMap<string, string>

/** An action that was refused, with the HTTP status to answer. */
export class ActionError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Maximum bytes of a form; adapters stop reading there. */
export const FORM_LIMIT = 8192

/** A request for an action. */
export interface ActionRequest {
  /** Scheme, host and port that the request was sent to; undefined if unknown. */
  readonly origin: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

/** Checks and performs the actions of the page's forms. */
export class Actions {
  /** Random token in every form of this process's page, which no other site can know. */
  readonly nonce: string = randomBytes(24).toString('base64url')

  /** Performs the action of a form, and returns its name. @param by who asks for it, for the events. @throws ActionError */
  run(
    request: ActionRequest,
    dispatchers: Readonly<Record<string, Dispatcher>>,
    by: string | undefined,
  ): string {
    const form = readForm(request)
    this.#checkOrigin(request)
    if (!equalsInConstantTime(form.get('nonce') ?? '', this.nonce))
      throw new ActionError(
        403,
        'The form belongs to another process, or to this one before its last start. Load the page again.',
      )
    try {
      performAction(form, dispatchers, by)
    } catch (error) {
      if (error instanceof OptionError) throw new ActionError(400, error.message)
      throw error
    }
    return form.get('action') ?? ''
  }

  /**
   * Refuses forms of other sites. Browsers send Origin with every POST, and Sec-Fetch-Site if the page is secure; a request
   * without Origin and Referer is refused, too.
   */
  #checkOrigin({ origin, headers }: ActionRequest): void {
    const site = headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new ActionError(403, 'The form was sent from another site (Sec-Fetch-Site).')
    const from = originOf(headers)
    if (from === undefined)
      throw new ActionError(403, 'A change needs the header field Origin, or Referer.')
    if (origin === undefined || from !== origin)
      throw new ActionError(
        403,
        `The form was sent from ${from}, but this page is at ${origin ?? 'an unknown host'}. Behind a reverse proxy, configure the framework to trust it (trustProxy, trust proxy).`,
      )
  }
}

function originOf(headers: ActionRequest['headers']): string | undefined {
  if (typeof headers.origin === 'string') return headers.origin
  const { referer } = headers
  return typeof referer === 'string' && URL.canParse(referer) ? new URL(referer).origin : undefined
}

function equalsInConstantTime(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Reads a form, as text or as a body parser has parsed it. */
function readForm({ headers, body }: ActionRequest): Form {
  const [type = ''] = (headers['content-type']?.toString() ?? '').split(';', 1)
  if (type.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    throw new ActionError(415, 'A change must be sent as application/x-www-form-urlencoded.')
  if (typeof body === 'object' && body !== null) {
    const fields = Object.entries(body)
    return new Map(
      fields.filter((field): field is [string, string] => typeof field[1] === 'string'),
    )
  }
  const text = typeof body === 'string' ? body : ''
  if (Buffer.byteLength(text) > FORM_LIMIT)
    throw new ActionError(413, `A form may have at most ${FORM_LIMIT} bytes.`)
  return new Map(new URLSearchParams(text))
}

const STATUSES: ReadonlyMap<string, MemberStatus> = new Map([
  ['enable', 'enabled'],
  ['drain', 'draining'],
  ['disable', 'disabled'],
  ['stop', 'stopped'],
])

function performAction(
  form: Form,
  dispatchers: Readonly<Record<string, Dispatcher>>,
  by: string | undefined,
): void {
  const balancer = balancerNamed(form.get('balancer') ?? '', dispatchers)
  const member = form.get('member') ?? ''
  const action = form.get('action') ?? ''
  const status = STATUSES.get(action)
  if (status !== undefined) {
    balancer.update(member, { status }, by)
    // Enabling a member that is out because of failures makes it available at once.
    if (status === 'enabled') balancer.recover(member, by)
  } else if (action === 'weight')
    balancer.update(member, { weight: parseNumber(form.get('weight') ?? '') }, by)
  else if (action === 'add') add(balancer, form, by)
  else if (action === 'remove') remove(balancer, member, by)
  else
    throw new ActionError(
      400,
      `There is no action ${action}; there are ${[...STATUSES.keys()].join(', ')}, weight, add, remove.`,
    )
}

function balancerNamed(name: string, dispatchers: Readonly<Record<string, Dispatcher>>): Balancer {
  const dispatcher = Object.hasOwn(dispatchers, name) ? dispatchers[name] : undefined
  const balancer = dispatcher && balancerOf(dispatcher)
  if (balancer === undefined) throw new ActionError(400, `There is no balancer ${name}.`)
  return balancer
}

function add(balancer: Balancer, form: Form, by: string | undefined): void {
  const given = (name: string): string | undefined => form.get(name)?.trim() || undefined
  for (const name of ['address', 'name', 'route', 'weight'])
    if (hasControls(form.get(name) ?? ''))
      throw new ActionError(400, `The field ${name} has a control character.`)
  const weight = given('weight')
  const member = {
    address: given('address') ?? '',
    name: given('name'),
    route: given('route'),
    weight: weight === undefined ? undefined : parseNumber(weight),
  }
  balancer.add(member, by)
}

/** Whether a text has control characters or line separators: names and routes get into cookies, logs and params. */
function hasControls(text: string): boolean {
  return /[\p{Cc}\u2028\u2029]/u.test(text)
}

/** Does not wait for the member's active requests to end, which may take any time. */
function remove(balancer: Balancer, name: string, by: string | undefined): void {
  if (!balancer.members.some((member) => member.name === name))
    throw new ActionError(400, `Balancer ${balancer.name} has no member ${name}.`)
  balancer.remove(name, by).catch(() => {})
}

/** Text that is not a number is passed on unchanged, so that the option check quotes it in its message. */
function parseNumber(text: string): number {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? (text as unknown as number) : value
}
