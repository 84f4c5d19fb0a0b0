/** What the authorizers of test/fixtures/authorizer are asked, and what is to come of it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { AuthorizerName } from './authorizers.ts'
import { SITE } from './php-site.ts'

/** A no, as the client is to get it. Fields that are not named are not looked at; undefined: there is none. */
export interface Denied {
  status: number
  fields(name: AuthorizerName): Record<string, string | undefined>
  /** All of the body. */
  body(name: AuthorizerName): string
}

const denied = (
  status: number,
  word: string,
  fields: (name: AuthorizerName) => Record<string, string | undefined>,
): Denied => ({
  status,
  fields: (name) => ({ 'x-authorizer': name, 'content-type': 'text/plain', ...fields(name) }),
  body: (name) => `${name} says: ${word}\n`,
})

const toLogin = () => ({ location: 'http://login.example/' })

/** By QUERY_STRING. */
export const TABLE: Readonly<Record<string, Denied | 'through'>> = {
  '': 'through',
  'nothing-in-particular': 'through',
  variables: 'through',
  denied: denied(403, 'denied', () => ({})),
  'status-last': denied(403, 'status-last', () => ({ 'x-early': '1' })),
  challenge: denied(401, 'challenge', (name) => ({ 'www-authenticate': `Custom realm="${name}"` })),
  redirect: denied(302, 'redirect', toLogin),
  'location-first': denied(302, 'location-first', toLogin),
  'location-only': denied(302, 'location-only', toLogin),
  'no-content': { status: 204, fields: (name) => ({ 'x-authorizer': name }), body: () => '' },
  password: denied(401, 'password', () => ({ 'www-authenticate': undefined })),
}

/** A directory with a file and some PHP, for guards to stand before. */
export function guardedSite(t: Test): string {
  const script = (name: string) => readFileSync(join(SITE, name), 'utf8')
  return t.testdir({
    'page.txt': 'static',
    'server.php': script('server.php'),
    'hash.php': script('hash.php'),
  })
}

/** The params that the word `echo` makes an authorizer print. */
export function echoed(body: string): Record<string, string> {
  const lines = body.split('\n').filter((line) => line.includes('='))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}
