/** $_SERVER. */
import t from 'tap'
import { serverVariables } from './internals.ts'

t.test('params, the last one of several, and PHP_SELF', async (t) => {
  const params = [
    'SCRIPT_NAME',
    '/x.php',
    'PATH_INFO',
    '/a',
    'HTTP_COOKIE',
    'a',
    'HTTP_COOKIE',
    'b',
  ]
  t.same(Object.fromEntries(serverVariables(params)), {
    SCRIPT_NAME: '/x.php',
    PATH_INFO: '/a',
    HTTP_COOKIE: 'b',
    PHP_SELF: '/x.php/a',
  })
})

t.test('settings are no variables', async (t) => {
  const variables = serverVariables(['PHP_VALUE', 'a=1', 'PHP_ADMIN_VALUE', 'b=2'])
  t.notOk(variables.has('PHP_VALUE'))
  t.notOk(variables.has('PHP_ADMIN_VALUE'))
})

t.test('Authorization', async (t) => {
  const of = (field: string) => Object.fromEntries(serverVariables(['HTTP_AUTHORIZATION', field]))
  const basic = `Basic ${Buffer.from('ada:a:b').toString('base64')}`
  t.match(of(basic), { PHP_AUTH_USER: 'ada', PHP_AUTH_PW: 'a:b' })
  t.match(of('Digest username="ada"'), { PHP_AUTH_DIGEST: 'username="ada"' })
  for (const field of ['Bearer x', `Basic ${Buffer.from('nobody').toString('base64')}`, 'Basic'])
    t.same(Object.keys(of(field)), ['HTTP_AUTHORIZATION', 'PHP_SELF'], field)
})
