// Names and attributes of spans: the semantic conventions of OpenTelemetry 1.45 for HTTP and RPC, as far as they apply.
import type { ExchangeEvent } from '@fastcgi/client'
import type { Attributes } from '@opentelemetry/api'

/** Methods that appear in names and attributes as they are; RFC 9110 §9 and RFC 5789. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'TRACE',
])

/** `GET /shop`, `HTTP /shop` for an unusual method, or `fastcgi/authorizer` where there is no route. */
export function spanName(event: ExchangeEvent): string {
  const { method, route } = event
  if (method === undefined || event.role === 'authorizer') return rpcMethod(event)
  const known = KNOWN_METHODS.has(method) ? method : 'HTTP'
  return route === undefined ? known : `${known} ${route}`
}

function rpcMethod({ role }: ExchangeEvent): string {
  return `fastcgi/${role}`
}

/** What is known when an exchange begins, for samplers to decide by. */
export function startAttributes(event: ExchangeEvent): Attributes {
  const { method, route, script } = event
  const attributes: Attributes = {
    'rpc.system.name': 'fastcgi',
    'rpc.method': rpcMethod(event),
  }
  if (method !== undefined) {
    const isKnown = KNOWN_METHODS.has(method)
    attributes['http.request.method'] = isKnown ? method : '_OTHER'
    if (!isKnown) attributes['http.request.method_original'] = method
  }
  if (route !== undefined) attributes['http.route'] = route
  if (script !== undefined) attributes['code.file.path'] = script
  return attributes
}

/** What is known when it has ended. */
export function endAttributes({ attempts, status, appStatus, error }: ExchangeEvent): Attributes {
  const attributes: Attributes = {}
  const last = attempts.at(-1)
  const address = error?.address ?? last?.address
  if (address !== undefined) Object.assign(attributes, addressAttributes(address))
  const member = error?.member ?? last?.member
  if (member !== undefined) attributes['fastcgi.member'] = member
  if (last !== undefined) attributes['fastcgi.connection.reused'] = last.reused
  if (attempts.length > 1) attributes['http.request.resend_count'] = attempts.length - 1
  if (status !== undefined) attributes['http.response.status_code'] = status
  if (appStatus !== undefined) attributes['rpc.response.status_code'] = String(appStatus)
  return attributes
}

/** Attributes of an address of `@fastcgi/client`: `unix:/path`, `\\.\pipe\name`, `host:port`, `fcgis://host:port`. */
export function addressAttributes(name: string): Attributes {
  const [, host, port] = /^(?:fcgis:\/\/)?(.+):(\d+)$/.exec(name) ?? []
  if (name.startsWith('unix:'))
    return { 'server.address': name.slice('unix:'.length), 'network.transport': 'unix' }
  if (host === undefined) return { 'server.address': name, 'network.transport': 'pipe' }
  return {
    'server.address': host.replace(/^\[(.*)\]$/, '$1'),
    'server.port': Number(port),
    'network.transport': 'tcp',
  }
}
