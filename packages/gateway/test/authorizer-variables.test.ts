/** Variables of a yes: which names, and what becomes of them. */
import t from 'tap'
import { imitates, paramOf, Variables, variablesOf } from './internals.ts'

function taken(headers: string[], all = false): [values: object, refused: string[]] {
  const refused: string[] = []
  const variables = variablesOf(headers, all, (name) => refused.push(name))
  return [{ ...variables.values }, refused]
}

t.test('names', (t) => {
  t.equal(paramOf('Display-Name.x'), 'DISPLAY_NAME_X')
  t.strictSame(taken(['VARIABLE-a', '1', 'variable-B', '2', 'X-C', '3']), [{ a: '1', B: '2' }, []])
  t.strictSame(taken(['Variable-a', '1', 'X-C', '3', 'Status', '200'], true), [
    { a: '1', 'X-C': '3', Status: '200' },
    [],
  ])
  t.strictSame(taken(['Variable-', '1', 'Variable', '2']), [{}, ['']], 'a name there must be')
  t.strictSame(taken(['Variable-__proto__', 'x', 'Variable-constructor', 'y'])[1], [])
  t.equal(({} as { x?: string }).x, undefined)
  t.end()
})

t.test('reserved ones', (t) => {
  const reserved = `AUTH_PASSWORD? CONTENT_LENGTH CONTENT_TYPE DOCUMENT_ROOT DOCUMENT_URI FCGI_ROLE FCGI_APACHE_ROLE
    GATEWAY_INTERFACE HTTP_PROXY HTTP_HOST HTTP_ HTTPS ORIG_PATH_INFO PATH_INFO PATH_TRANSLATED PHP_VALUE
    PHP_ADMIN_VALUE PHP_SELF PHPRC QUERY_STRING REDIRECT_STATUS REDIRECT_URL REMOTE_ADDR REMOTE_HOST REMOTE_PASSWD
    REMOTE_PORT REQUEST_METHOD REQUEST_SCHEME REQUEST_URI SCRIPT_FILENAME SCRIPT_NAME SCRIPT_URL SERVER_ADDR SERVER_NAME
    SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE BALANCER_NAME PATH LD_PRELOAD LD_LIBRARY_PATH`
  for (const name of reserved.split(/\s+/).filter((name) => !name.endsWith('?'))) {
    const spelled = [name, name.toLowerCase(), name.replaceAll('_', '-'), name.replaceAll('_', '.')]
    for (const each of spelled) t.strictSame(taken([`Variable-${each}`, 'x']), [{}, [each]], each)
    t.strictSame(taken([name, 'x'], true), [{}, []], `${name}, of a field that is no Variable-`)
  }
  for (const name of ['REMOTE_USER', 'REMOTE_GROUP', 'AUTH_TYPE', 'USER', 'PATHS', 'SCRIPT', 'PHP'])
    t.strictSame(taken([`Variable-${name}`, 'x']), [{ [name]: 'x' }, []])
  t.end()
})

t.test('values', (t) => {
  for (const value of ['a\nb', 'a\rb', 'a\0', '\x1b[0m', 'a\tb', '\x7f'])
    t.strictSame(taken(['Variable-A', value]), [{}, ['A']], JSON.stringify(value))
  for (const value of ['', ' ', '\xfc\xff', 'a, b'])
    t.strictSame(taken(['Variable-A', value]), [{ A: value }, []])
  t.strictSame(taken(['Variable-A', '1', 'Variable-a', '2', 'Variable-A', '3']), [
    { A: '1, 2, 3' },
    [],
  ])
  t.strictSame(
    taken(['Variable-A', '1', 'Variable-a', '\n']),
    [{}, ['A']],
    'one bad value spoils it',
  )
  t.end()
})

t.test('a later guard has the last word', (t) => {
  const variables = new Variables()
  variables.set('X-User', 'early')
  const later = new Variables()
  later.set('x_user', 'late')
  variables.merge(later)
  t.strictSame({ ...variables.values }, { x_user: 'late' })
  t.strictSame([...variables.params], [['X_USER', 'late']])
  t.end()
})

t.test('fields that imitate one', (t) => {
  const variables = new Variables()
  variables.set('X-User', '1')
  for (const field of ['x-user', 'x_user', 'x.user']) t.ok(imitates(field, variables), field)
  for (const field of ['user', 'x-user-id', 'http-x-user'])
    t.notOk(imitates(field, variables), field)
  t.end()
})
