import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type Balancer, type Dispatcher, type MemberStatus, OptionError } from '@fastcgi/client'
import { balancerOf } from './snapshot.ts'

/** Fields of a form. */
export type Form = ReadonlyMap<string, string>

/** Why an action is not carried out. */
export class ActionError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Most bytes of a form, for adapters to stop reading at. */
export const FORM_LIMIT = 8192

/** What a request that wants something changed has to show. */
export interface ActionRequest {
  /** Scheme, host and port the request came to; undefined when they cannot be told. */
  readonly origin: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

/** Carries out what the forms of the page ask for. */
export class Actions {
  /** Each process has its own, which its page alone knows. */
  readonly nonce: string = randomBytes(24).toString('base64url')

  /** @throws ActionError */
  run(request: ActionRequest, dispatchers: Readonly<Record<string, Dispatcher>>): void {
    const form = readForm(request)
    this.#checkOrigin(request)
    if (!same(form.get('nonce') ?? '', this.nonce))
      throw new ActionError(
        403,
        'The form is not of this process: it is older than its last start, or of another process. Load the page again.',
      )
    try {
      act(form, dispatchers)
    } catch (error) {
      if (error instanceof OptionError) throw new ActionError(400, error.message)
      throw error
    }
  }

  /** Against forms of other sites. Browsers send Origin with every POST; what sends neither field is none. */
  #checkOrigin({ origin, headers }: ActionRequest): void {
    const from = originOf(headers)
    if (from === undefined)
      throw new ActionError(403, 'A change needs the header field Origin, or Referer.')
    if (origin === undefined || from !== origin)
      throw new ActionError(
        403,
        `The form is of ${from}, this is ${origin ?? 'a host without a name'}. Behind a reverse proxy, have the framework trust it (trustProxy, trust proxy).`,
      )
  }
}

function originOf(headers: ActionRequest['headers']): string | undefined {
  if (typeof headers.origin === 'string') return headers.origin
  const { referer } = headers
  return typeof referer === 'string' && URL.canParse(referer) ? new URL(referer).origin : undefined
}

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Reads what a browser's form sends, or what a body parser has made of it. */
function readForm({ headers, body }: ActionRequest): Form {
  const [type = ''] = (headers['content-type']?.toString() ?? '').split(';', 1)
  if (type.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    throw new ActionError(415, 'A change comes as application/x-www-form-urlencoded.')
  if (typeof body === 'object' && body !== null) {
    const fields = Object.entries(body)
    return new Map(
      fields.filter((field): field is [string, string] => typeof field[1] === 'string'),
    )
  }
  const text = typeof body === 'string' ? body : ''
  if (Buffer.byteLength(text) > FORM_LIMIT)
    throw new ActionError(413, `A form has ${FORM_LIMIT} bytes at the most.`)
  return new Map(new URLSearchParams(text))
}

const STATUSES: ReadonlyMap<string, MemberStatus> = new Map([
  ['enable', 'enabled'],
  ['drain', 'draining'],
  ['disable', 'disabled'],
  ['stop', 'stopped'],
])

function act(form: Form, dispatchers: Readonly<Record<string, Dispatcher>>): void {
  const balancer = balancerNamed(form.get('balancer') ?? '', dispatchers)
  const member = form.get('member') ?? ''
  const action = form.get('action') ?? ''
  const status = STATUSES.get(action)
  if (status !== undefined) {
    balancer.update(member, { status })
    // To enable what is out for its failures means to try it now.
    if (status === 'enabled') balancer.recover(member)
  } else if (action === 'weight')
    balancer.update(member, { weight: number(form.get('weight') ?? '') })
  else if (action === 'add') add(balancer, form)
  else if (action === 'remove') remove(balancer, member)
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

function add(balancer: Balancer, form: Form): void {
  const given = (name: string): string | undefined => form.get(name)?.trim() || undefined
  const weight = given('weight')
  balancer.add({
    address: given('address') ?? '',
    name: given('name'),
    route: given('route'),
    weight: weight === undefined ? undefined : number(weight),
  })
}

/** Nobody waits until what runs on it has ended, which may take as long as it likes. */
function remove(balancer: Balancer, name: string): void {
  if (!balancer.members.some((member) => member.name === name))
    throw new ActionError(400, `Balancer ${balancer.name} has no member ${name}.`)
  balancer.remove(name).catch(() => {})
}

/** What is no number goes on as it is, for the message of the one who refuses it. */
function number(text: string): number {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? (text as unknown as number) : value
}
