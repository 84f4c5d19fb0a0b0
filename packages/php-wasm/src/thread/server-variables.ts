// What PHP is told about a request: $_SERVER, as php-cgi derives it from the params.
import { insidePath } from '../inside-path.ts'

/** Params that are paths of this computer. */
const PATHS = ['DOCUMENT_ROOT', 'SCRIPT_FILENAME', 'PATH_TRANSLATED', 'CONTEXT_DOCUMENT_ROOT']

/**
 * $_SERVER by name: the params, of several with the same name the last one, and what PHP adds to them.
 * @param rawParams name, value, name, value …; latin1, so that each character is one byte.
 */
export function serverVariables(rawParams: readonly string[]): Map<string, string> {
  const variables = new Map<string, string>()
  for (let at = 0; at + 1 < rawParams.length; at += 2)
    variables.set(rawParams[at] as string, rawParams[at + 1] as string)
  for (const name of PATHS) {
    const path = variables.get(name)
    if (path !== undefined) variables.set(name, insidePath(path))
  }
  const { SCRIPT_NAME = '', PATH_INFO = '' } = Object.fromEntries(variables)
  variables.set('PHP_SELF', SCRIPT_NAME + PATH_INFO)
  for (const [name, value] of credentials(variables.get('HTTP_AUTHORIZATION')))
    variables.set(name, value)
  // Settings, not variables; see ini.ts.
  variables.delete('PHP_VALUE')
  variables.delete('PHP_ADMIN_VALUE')
  return variables
}

/** PHP_AUTH_USER and PHP_AUTH_PW, or PHP_AUTH_DIGEST, out of the field Authorization. */
function credentials(field: string | undefined): Array<[string, string]> {
  const [, scheme = '', value = ''] = /^(Basic|Digest) +(.*)$/is.exec(field ?? '') ?? []
  if (scheme.toLowerCase() === 'digest') return [['PHP_AUTH_DIGEST', value]]
  const [, user, password] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString('latin1')) ?? []
  if (user === undefined || password === undefined) return []
  return [
    ['PHP_AUTH_USER', user],
    ['PHP_AUTH_PW', password],
  ]
}
