/** php.ini of an instance. */
import t from 'tap'
import { iniContent, withParams } from './internals.ts'

t.test('what -d sets is quoted as by php-cgi, and comes last', async (t) => {
  const settings = ['a=1', 'b=/x;y', 'c="q"', 'd', 'e=', "f='s'"]
  const lines = iniContent('/cache', 'file = 1', settings).split('\n')
  t.same(lines.slice(-8, -1), ['file = 1', 'a=1', 'b="/x;y"', 'c="q"', 'd=1', 'e=', "f='s'"])
  t.ok(lines.includes('opcache.file_cache="/cache"'))
})

t.test('PHP_VALUE and PHP_ADMIN_VALUE', async (t) => {
  t.equal(withParams('a=1\n', {}), 'a=1\n')
  const params = { PHP_VALUE: 'b=2\nc=3', PHP_ADMIN_VALUE: 'd=4' }
  t.equal(withParams('a=1', params), 'a=1\nb=2\nc=3\nd=4')
})
