import { OptionError, parseAddress } from '@fastcgi/client'
import t from 'tap'

const MOST = process.platform === 'linux' ? 107 : 103

t.test('unix sockets', (t) => {
  const path = '/run/php/php-fpm.sock'
  const forms = [
    path,
    `unix:${path}`,
    `unix:${path}|fcgi://localhost/`,
    `unix:${path}|fcgi://a:9000`,
  ]
  for (const form of forms)
    t.strictSame(parseAddress(form), { kind: 'unix', path, name: `unix:${path}` }, form)
  t.equal(parseAddress('unix:/with space|and bar').name, 'unix:/with space')
  t.end()
})

t.test('named pipes', (t) => {
  const path = '\\\\.\\pipe\\php'
  t.strictSame(parseAddress(path), { kind: 'unix', path, name: path })
  t.end()
})

t.test('TCP', (t) => {
  const forms: Record<string, [host: string, port: number, name: string]> = {
    'localhost:9000': ['localhost', 9000, 'localhost:9000'],
    'LocalHost:9000': ['localhost', 9000, 'localhost:9000'],
    'tcp://10.0.0.1:9000': ['10.0.0.1', 9000, '10.0.0.1:9000'],
    'fcgi://app:9000': ['app', 9000, 'app:9000'],
    'FCGI://app:9000/': ['app', 9000, 'app:9000'],
    'fastcgi://app:9000': ['app', 9000, 'app:9000'],
    'fcgi://app': ['app', 8000, 'app:8000'],
    'fcgi://app/': ['app', 8000, 'app:8000'],
    ':9000': ['127.0.0.1', 9000, '127.0.0.1:9000'],
    'tcp://:9000': ['127.0.0.1', 9000, '127.0.0.1:9000'],
    '[::1]:9000': ['::1', 9000, '[::1]:9000'],
    'fcgi://[FE80::1]:9000': ['fe80::1', 9000, '[fe80::1]:9000'],
    'fcgi://[::1]': ['::1', 8000, '[::1]:8000'],
    'app:1': ['app', 1, 'app:1'],
    'app:65535': ['app', 65_535, 'app:65535'],
    'app:09000': ['app', 9000, 'app:9000'],
  }
  for (const [form, [host, port, name]] of Object.entries(forms))
    t.strictSame(parseAddress(form), { kind: 'tcp', host, port, name }, form)
  t.end()
})

t.test('TLS', (t) => {
  const forms: Record<string, [host: string, port: number, name: string]> = {
    'fcgis://app:9000': ['app', 9000, 'fcgis://app:9000'],
    'FCGIS://App/': ['app', 8000, 'fcgis://app:8000'],
    'fcgis://[::1]:9000': ['::1', 9000, 'fcgis://[::1]:9000'],
  }
  for (const [form, [host, port, name]] of Object.entries(forms))
    t.strictSame(parseAddress(form), { kind: 'tls', host, port, name }, form)
  t.end()
})

t.test('a name is an address, and names itself', (t) => {
  for (const form of [
    'unix:/s',
    'fcgi://[::1]',
    'fcgis://[::1]',
    ':9000',
    'APP:9',
    '\\\\.\\pipe\\p',
  ]) {
    const address = parseAddress(form)
    t.strictSame(parseAddress(address.name), address)
  }
  t.end()
})

t.test('what is no address is refused, and the forms are shown', (t) => {
  const wrong: Record<string, RegExp> = {
    '': /empty/,
    localhost: /no port/,
    'tcp://localhost': /no port/,
    'unix:relative.sock': /absolute/,
    'unix:': /absolute/,
    'unix:|fcgi://x': /absolute/,
    './php.sock': /known forms/,
    'app:': /known forms/,
    'app:x': /known forms/,
    'app:0': /1 to 65535/,
    'app:65536': /1 to 65535/,
    'app:99999999999': /1 to 65535/,
    '::1:9000': /known forms/,
    'fcgi://app:9000/path': /known forms/,
    'http://app:9000': /scheme http is unknown/,
    'unix:/a\0b': /NUL/,
  }
  for (const [form, message] of Object.entries(wrong)) {
    t.throws(() => parseAddress(form), { name: 'OptionError', code: 'FCGI_OPTION', message }, form)
    t.throws(() => parseAddress(form), { message: /php-fpm\.sock.*host:9000/ })
  }
  for (const value of [undefined, null, 9000, {}])
    t.throws(() => parseAddress(value as unknown as string), OptionError)
  t.end()
})

t.test('a socket path that the system would cut off is refused', (t) => {
  const path = (length: number) => `/${'a'.repeat(length - 1)}`
  t.equal(parseAddress(path(MOST)).kind, 'unix')
  t.throws(() => parseAddress(path(MOST + 1)), {
    message: new RegExp(`at most ${MOST} bytes, this one has ${MOST + 1}`),
  })
  t.throws(
    () => parseAddress(`/${'ä'.repeat(MOST - 10)}`),
    { message: /bytes/ },
    'bytes, not letters',
  )
  t.end()
})
