// Options that describe a FastCGI request, for `fastcgi request` and `fastcgi ping`.
import { createReadStream, statSync } from 'node:fs'
import { dirname, extname } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type FastCGIRequest, OptionError, type TLSOptions } from '@fastcgi/client'
import {
  invalidOption,
  missingOption,
  type OptionValues,
  oneOf,
  wholeNumber,
} from '../command-line.ts'
import { readUpstreamTLS } from '../upstream-tls.ts'

const ROLES = ['responder', 'authorizer', 'filter'] as const

/** Options that describe a request. */
export const REQUEST_OPTIONS = {
  upstream: { type: 'string' },
  'upstream-ca': { type: 'string' },
  'upstream-cert': { type: 'string' },
  'upstream-key': { type: 'string' },
  'upstream-servername': { type: 'string' },
  script: { type: 'string' },
  query: { type: 'string' },
  method: { type: 'string' },
  param: { type: 'string', multiple: true },
  role: { type: 'string' },
  body: { type: 'string' },
  send: { type: 'string', short: 'd' },
  data: { type: 'string' },
  timeout: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Help text of {@link REQUEST_OPTIONS}. */
export const REQUEST_OPTIONS_USAGE = `  --upstream ADDRESS         unix:/run/php/php-fpm.sock, host:9000, fcgi://host:9000, fcgis://host:9000 (TLS)
  --upstream-ca FILE         authority of its certificate, with TLS (default: those that Node trusts)
  --upstream-cert FILE, --upstream-key FILE
                             client certificate; --upstream-servername NAME: name that its certificate is for
  --script FILE              path of the script as the application sees it: SCRIPT_FILENAME and derived params
  --query QUERY              QUERY_STRING
  --method METHOD            REQUEST_METHOD (default GET, with a body POST)
  --param NAME=VALUE         any other param, or another value for one of these; can be repeated
  --role ROLE                responder (default), authorizer or filter
  --body FILE | -            STDIN: content of a file, or of stdin
  -d, --send TEXT | @FILE    STDIN: this text, or the content of a file, or of stdin (@-)
                             CONTENT_TYPE: by the ending of the file; of a text JSON if it is that, else a form
  --data FILE                DATA, for a filter`

/** Values of {@link REQUEST_OPTIONS}. */
export type RequestValues = OptionValues<typeof REQUEST_OPTIONS>

/** Options of the client for an encrypted upstream. @throws OptionError for a file that cannot be read. */
export function tlsOf(values: RequestValues): { tls?: TLSOptions } {
  const tls = {
    ca: values['upstream-ca'],
    cert: values['upstream-cert'],
    key: values['upstream-key'],
    servername: values['upstream-servername'],
  }
  const isGiven = Object.values(tls).some((value) => value !== undefined)
  return isGiven ? { tls: readUpstreamTLS(tls) } : {}
}

/** Value of --timeout in milliseconds. @throws OptionError */
export function timeoutOf({ timeout }: RequestValues, defaultValue: number): number {
  return wholeNumber('timeout', timeout, 999_999_999) ?? defaultValue
}

/** Creates the request. @throws OptionError that names the option as it is written on the command line. */
export async function requestOf(values: RequestValues): Promise<FastCGIRequest> {
  const { script, query = '', param = [], data } = values
  const role = oneOf('role', values.role ?? 'responder', ROLES)
  if ((role === 'filter') !== (data !== undefined))
    throw new OptionError('option --data goes with --role filter, and only with it')
  if (script === undefined && param.length === 0)
    throw missingOption('script', '/var/www/site/index.php')
  const given = param.map(pairOf)
  const { body, type } = await bodyOf(values)
  const method = values.method ?? (body === null ? 'GET' : 'POST')
  const params: Record<string, string | number> = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_SOFTWARE: 'fastcgi',
    SERVER_NAME: 'localhost',
    SERVER_PORT: 80,
    REMOTE_ADDR: '127.0.0.1',
    REQUEST_METHOD: method,
    QUERY_STRING: query,
    ...(script === undefined ? {} : scriptParams(script, query)),
    ...(body === null ? {} : { CONTENT_LENGTH: body.length, CONTENT_TYPE: type }),
    ...Object.fromEntries(given),
  }
  return { role, params, body, ...(data === undefined ? {} : { data: dataOf(data) }) }
}

function scriptParams(file: string, query: string): Record<string, string> {
  const name = file.slice(file.lastIndexOf('/'))
  return {
    SCRIPT_FILENAME: file,
    SCRIPT_NAME: name,
    DOCUMENT_ROOT: dirname(file),
    REQUEST_URI: query === '' ? name : `${name}?${query}`,
  }
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw invalidOption('param', text, 'NAME=VALUE')
  return [text.slice(0, at), text.slice(at + 1)]
}

/** The request body and its CONTENT_TYPE. */
async function bodyOf({
  body,
  send,
}: RequestValues): Promise<{ body: Buffer | null; type: string }> {
  if (body !== undefined && send !== undefined)
    throw new OptionError('options --body and --send: give one of them')
  if (send !== undefined && !send.startsWith('@'))
    return { body: Buffer.from(send), type: isJSON(send) ? JSON_TYPE : FORM_TYPE }
  const [file, name] = send === undefined ? [body, 'body'] : [send.slice(1), 'send']
  if (file === undefined) return { body: null, type: '' }
  const read = () => buffer(file === '-' ? process.stdin : createReadStream(file))
  return { body: await readable(name, read), type: typeOf(file) }
}

const FORM_TYPE = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'
const TYPES: Readonly<Record<string, string>> = {
  '.json': JSON_TYPE,
  '.xml': 'application/xml',
  '.txt': 'text/plain',
  '.html': 'text/html',
  '.csv': 'text/csv',
  '.form': FORM_TYPE,
}

function typeOf(file: string): string {
  return TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream'
}

/** Whether a text is a JSON object or array; a number or a word may as well be a form. */
function isJSON(text: string): boolean {
  try {
    return /^\s*[[{]/.test(text) && JSON.parse(text) !== undefined
  } catch {
    return false
  }
}

function dataOf(file: string): NonNullable<FastCGIRequest['data']> {
  try {
    const { size, mtime } = statSync(file, { bigint: true })
    return { stream: createReadStream(file), length: Number(size), lastModified: mtime }
  } catch (error) {
    throw unreadable('data', error)
  }
}

async function readable<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw unreadable(name, error)
  }
}

function unreadable(name: string, error: unknown): OptionError {
  return new OptionError(`option --${name} cannot be read: ${(error as Error).message}`)
}
