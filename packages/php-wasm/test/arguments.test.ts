/** The command line of the program. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readArguments } from './internals.ts'

const BUILD = ['-build', '/build']

t.test('defaults', async (t) => {
  t.same(readArguments(BUILD, {}), {
    build: { directory: '/build' },
    iniFile: '',
    settings: [],
    instances: 1,
    maxRequests: 500,
  })
})

t.test('switches and environment', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'php.ini')
  writeFileSync(file, 'a = b')
  const argv = ['-d', 'x=1', '-unix=/run/s', '-c', file, ...BUILD, '-d', 'y']
  const env = { PHP_FCGI_CHILDREN: '3', PHP_FCGI_MAX_REQUESTS: '0' }
  t.same(readArguments(argv, env), {
    build: { directory: '/build' },
    iniFile: 'a = b',
    settings: ['x=1', 'y'],
    instances: 3,
    maxRequests: Number.POSITIVE_INFINITY,
  })
  t.equal(readArguments(BUILD, { PHP_FCGI_CHILDREN: '0' }).instances, 1, 'as in php-cgi')
})

t.test('errors', async (t) => {
  t.throws(() => readArguments(['-d']), /-d needs a value/)
  t.throws(() => readArguments(BUILD, { PHP_FCGI_CHILDREN: 'x' }), /PHP_FCGI_CHILDREN .* got x/)
})
