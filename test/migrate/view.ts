/** What of an answer is compared, and in which aspects two differ. docs/migrate/README.md says the same in words. */
import { createHash } from 'node:crypto'
import type { Answer } from '../helpers/php-http.ts'

/** Fields of the connection and of the server itself. */
const OWN = ['connection', 'content-length', 'date', 'keep-alive', 'server', 'transfer-encoding']
/** Fields of a server's own answers of 300 and more that are compared; others belong to its pages. */
const COMPARED = ['location', 'retry-after', 'set-cookie', 'www-authenticate', 'x-own']
/** Set by the applications of the tests: what has it comes from them. */
const MARK = 'x-app'
const APPLICATIONS_TAG = /^"of-the-/

/** An answer without what belongs to the server that sent it. */
export interface View {
  status: number
  /** Whether the application has answered, not the server. */
  isOfApplication: boolean
  /** The script that says what it was told. */
  script: string | undefined
  fields: Record<string, string>
  params: Record<string, string>
  body: string
}

/** Places that are others for either server, and how they are called in both. */
export type Places = ReadonlyArray<readonly [path: string, name: string]>

/** Prepares an answer for the comparison. */
export function viewOf(answer: Answer, path: string, places: Places): View {
  const { status } = answer
  const isOfApplication = MARK in answer.headers
  const fields = fieldsOf(answer, path, status >= 300 && !isOfApplication)
  const view: View = { status, isOfApplication, script: undefined, fields, params: {}, body: '' }
  if (status >= 300 && !isOfApplication) return view
  const text = replaced(answer.body.toString('latin1'), places)
  if (!text.startsWith('{"')) return { ...view, body: digest(text) }
  const { page, params, input, post, files } = JSON.parse(text)
  // RFC 3875 §4.1: an empty param and none mean the same, and §4.1.2 a length of 0 and none.
  const told = Object.entries<string>(params).filter(
    ([name, value]) => value !== '' && !(name === 'CONTENT_LENGTH' && value === '0'),
  )
  const body = JSON.stringify([input, post, files])
  return { ...view, script: page, params: Object.fromEntries(told), body }
}

function fieldsOf({ headers }: Answer, path: string, isOwnPage: boolean): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && (isOwnPage ? COMPARED.includes(name) : !OWN.includes(name)))
      fields[name] = [value].flat().join('\n')
  if (fields.location !== undefined) fields.location = pathOf(fields.location, path)
  if (fields['content-type'] !== undefined)
    fields['content-type'] = fields['content-type'].toLowerCase().replaceAll(/[\s"]/g, '')
  if (fields.etag !== undefined && !APPLICATIONS_TAG.test(fields.etag)) fields.etag = 'its own'
  if (fields['x-powered-by'] === 'Express') delete fields['x-powered-by']
  return fields
}

function replaced(text: string, places: Places): string {
  return places.reduce((all, [path, name]) => all.replaceAll(path, name), text)
}

/** The path of a location on the same site, else the location. */
function pathOf(location: string, path: string): string {
  const base = `http://example.org${path.replace(/^\/+/, '/')}`
  const { origin, href, hostname } = new URL(location, base)
  const isOwn = hostname === 'example.org' || hostname === '127.0.0.1'
  return isOwn ? href.slice(origin.length) : href
}

function digest(text: string): string {
  if (text.length <= 200) return text
  return `${text.length} bytes, MD5 ${createHash('md5').update(text).digest('hex')}`
}

/**
 * Aspects in which two answers differ: the status; else who answers; else the script that runs; else fields, params and
 * body.
 */
export function differingAspects(original: View, here: View): string[] {
  if (original.status !== here.status) return ['status']
  if (original.isOfApplication !== here.isOfApplication) return ['answered by']
  if (original.script !== here.script) return ['script']
  const fields = namesThatDiffer(original.fields, here.fields).map(fieldName)
  const aspects = [...fields, ...namesThatDiffer(original.params, here.params)]
  return original.body === here.body ? aspects : [...aspects, 'body']
}

/** An aspect of an answer; undefined for a field or param that there is not. */
export function aspectOf(view: View, aspect: string): string | undefined {
  if (aspect === 'status') return String(view.status)
  if (aspect === 'answered by') return view.isOfApplication ? 'the application' : 'the server'
  if (aspect === 'script') return view.script
  if (aspect === 'body') return view.body
  return view.params[aspect] ?? view.fields[aspect.toLowerCase()]
}

function namesThatDiffer(a: Record<string, string>, b: Record<string, string>): string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].filter((name) => a[name] !== b[name])
}

/** `content-type` is Content-Type. */
const fieldName = (name: string): string =>
  name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
