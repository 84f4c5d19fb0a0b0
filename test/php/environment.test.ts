/** What a script is told: paths, fields, the client. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { bodyOf, serverParams } from '../helpers/php-http.ts'
import { skipsOnWasm } from '../helpers/php-on-wasm.ts'
import { NEEDS_CGI, NEEDS_FPM, phpCgi, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawGet } from '../helpers/raw-http.ts'

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const { address: upstream } = await phpFpm(t)
  await names(t, upstream)

  await eachAdapter(t, 'remoteRoot', async (t, adapter) => {
    const remoteRoot = join(t.testdir(), 'elsewhere')
    symlinkSync(SITE, remoteRoot)
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE, remoteRoot })
    t.match(await serverParams(port, '/server.php/info'), {
      SCRIPT_FILENAME: `${remoteRoot}/server.php`,
      DOCUMENT_ROOT: remoteRoot,
      PATH_TRANSLATED: `${remoteRoot}/info`,
    })
  })

  await eachAdapter(t, 'a missing script, and nobody looked', async (t, adapter) => {
    if (skipsOnWasm(t, 'missing')) return
    const root = '/nowhere/at-all'
    const { port, log } = await startAdapter(t, adapter, { upstream, root, checkLocal: false })
    const { status, text } = await rawGet(port, '/missing.php')
    t.equal(status, 404)
    t.match(text, 'File not found.\n', "PHP's own words")
    t.match(
      log.join('\n'),
      /Primary script unknown.*SCRIPT_FILENAME was \/nowhere\/at-all\/missing\.php/,
    )
  })

  await eachAdapter(t, 'bytes of paths and fields arrive as they are', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE })
    const utf8 = Buffer.from('Käse ☃').toString('latin1')
    const latin1 = 'K\xe4se \xff'
    const fields = [`X-UTF8: ${utf8}`, `X-Latin1: ${latin1}`, `Cookie: name=${latin1}`]
    const path = '/server.php/K%C3%A4se%20%E2%98%83'
    // Fastify's router takes UTF-8 only.
    const foreign = adapter === 'fastify' ? '' : `/${latin1}`
    if (adapter === 'fastify') t.equal((await rawGet(port, `${path}/K%e4se`)).status, 400)
    const target = `${path}${percent(foreign)}?q=%E4&r=K%C3%A4se`
    t.match(await serverParams(port, target, fields), {
      PATH_INFO: `/${utf8}${foreign}`,
      QUERY_STRING: 'q=%E4&r=K%C3%A4se',
      REQUEST_URI: target,
      HTTP_X_UTF8: utf8,
      HTTP_X_LATIN1: latin1,
      HTTP_COOKIE: `name=${latin1}`,
    })
  })

  await eachAdapter(t, 'scripts whose names are no ASCII', async (t, adapter) => {
    if (skipsOnWasm(t, 'names')) return
    const root = t.testdir()
    const script = '<?php echo bin2hex($_SERVER["SCRIPT_FILENAME"]);'
    // One in UTF-8, and one in latin1, as old sites have them.
    for (const name of [Buffer.from('/é/é.php'), Buffer.from('/\xe9/\xe9.php', 'latin1')]) {
      const isUTF8 = name.toString().includes('é')
      const path = Buffer.concat([Buffer.from(root), name])
      mkdirSync(path.subarray(0, path.lastIndexOf('/')))
      writeFileSync(path, script)
      const { port } = await startAdapter(t, adapter, { upstream, root })
      const target = percent(name.toString('latin1'))
      const { status, text } = await rawGet(port, target)
      // Fastify's router takes UTF-8 only.
      if (adapter === 'fastify' && !isUTF8) t.equal(status, 400, target)
      else t.equal(status, 200, target)
      if (status === 200) t.match(text, path.toString('hex'))
    }
  })

  await eachAdapter(t, 'Proxy: never becomes HTTP_PROXY', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE })
    const fields = ['Proxy: http://evil.example', 'pRoXy: http://evil.example', 'X-Ok: 1']
    const params = await serverParams(port, '/server.php', fields)
    t.equal(params.HTTP_PROXY, undefined)
    t.equal(params.HTTP_X_OK, '1')
  })

  await eachAdapter(t, 'X_Foo does not pass for X-Foo', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE })
    for (const fields of [
      ['X_Foo: false', 'X-Foo: true', 'X.Foo: false'],
      ['X-Foo: true', 'X_Foo: false', 'X.Foo: false'],
    ]) {
      const params = await serverParams(port, '/server.php', fields)
      t.equal(params.HTTP_X_FOO, 'true', fields.join())
    }
    const alone = await serverParams(port, '/server.php', ['X_Foo: false'])
    t.equal(alone.HTTP_X_FOO, undefined)
  })

  await eachAdapter(t, 'fields that would be settings', async (t, adapter) => {
    const env = { APP_ENV: 'test', HTTP_X_SET: 'configured', SERVER_ADMIN: null }
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE, env })
    const fields = [
      'X-Set: by the client',
      'Script-Filename: /etc/passwd',
      'PHP-Value: auto_prepend_file=/etc/passwd',
      'Content_Length: 5',
      'Redirect-Status: 1',
      'Remote-User: admin',
    ]
    const params = await serverParams(port, '/server.php', fields)
    t.match(params, {
      APP_ENV: 'test',
      HTTP_X_SET: 'configured',
      SCRIPT_FILENAME: `${SITE}/server.php`,
    })
    for (const name of [
      'PHP_VALUE',
      'CONTENT_LENGTH',
      'HTTP_CONTENT_LENGTH',
      'HTTP_REDIRECT_STATUS',
      'REMOTE_USER',
      'SERVER_ADMIN',
      'HTTP_CONNECTION',
    ])
      t.equal(params[name], undefined, name)
  })

  await eachAdapter(t, 'the client and the server', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE })
    const params = await serverParams(port, '/server.php', FORWARDED)
    t.match(params, {
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_PORT: /^\d+$/,
      REQUEST_SCHEME: 'http',
      SERVER_NAME: 'localhost',
      SERVER_ADDR: '127.0.0.1',
      SERVER_PORT: String(port),
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_PROTOCOL: 'HTTP/1.1',
      REQUEST_METHOD: 'GET',
    })
    t.equal(params.HTTPS, undefined, 'a proxy nobody trusts says nothing')
  })

  await eachAdapter(t, 'the client behind a trusted proxy', async (t, adapter) => {
    if (adapter === 'http') return
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE, trustProxy: true })
    const params = await serverParams(port, '/server.php', FORWARDED)
    t.match(params, {
      REMOTE_ADDR: '203.0.113.7',
      HTTPS: 'on',
      REQUEST_SCHEME: 'https',
      SERVER_PORT: '443',
      HTTP_X_FORWARDED_FOR: '203.0.113.7',
    })
    t.equal(params.REMOTE_PORT, undefined, 'the port is that of the proxy')
  })
})

t.test('php-cgi', NEEDS_CGI, async (t) => names(t, (await phpCgi(t)).address))

const FORWARDED = ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Proto: https']

/** Bytes that cannot stand in a target as they are, as percents. */
function percent(latin1: string): string {
  return latin1.replace(/[^!-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`)
}

async function names(t: Test, upstream: string): Promise<void> {
  await eachAdapter(t, 'names of a script with PATH_INFO', async (t, adapter) => {
    for (const mount of ['', '/shop']) {
      if (adapter === 'http' && mount !== '') continue
      const options = { upstream, root: SITE, ...(mount && { prefix: mount }) }
      const { port } = await startAdapter(t, adapter, options)
      const target = `${mount}/server.php/a/b%20c?x=1&y=%20`
      t.match(
        await serverParams(port, target),
        {
          SCRIPT_NAME: `${mount}/server.php`,
          SCRIPT_FILENAME: `${SITE}/server.php`,
          PATH_INFO: '/a/b c',
          PATH_TRANSLATED: `${SITE}/a/b c`,
          PHP_SELF: `${mount}/server.php/a/b c`,
          REQUEST_URI: target,
          DOCUMENT_URI: `${mount}/server.php/a/b c`,
          DOCUMENT_ROOT: SITE,
          QUERY_STRING: 'x=1&y=%20',
        },
        `mounted at ${mount || '/'}`,
      )
      const plain = await serverParams(port, `${mount}/server.php`)
      t.match(plain, { PHP_SELF: `${mount}/server.php`, QUERY_STRING: '' })
      t.notOk(plain.PATH_INFO, 'no PATH_INFO where there is none')
    }
  })

  await eachAdapter(t, 'the index of a directory', async (t, adapter) => {
    for (const mount of ['', '/shop']) {
      if (adapter === 'http' && mount !== '') continue
      const options = { upstream, root: SITE, ...(mount && { prefix: mount }) }
      const { port } = await startAdapter(t, adapter, options)
      t.match(await serverParams(port, `${mount}/dir/?x=1`), {
        SCRIPT_NAME: `${mount}/dir/index.php`,
        SCRIPT_FILENAME: `${SITE}/dir/index.php`,
        PHP_SELF: `${mount}/dir/index.php`,
        REQUEST_URI: `${mount}/dir/?x=1`,
        DOCUMENT_URI: `${mount}/dir/index.php`,
      })
      const { status, headers } = await rawGet(port, `${mount}/dir?x=1&y=%20`)
      t.same([status, headers.location], [301, `${mount}/dir/?x=1&y=%20`])
    }
  })

  await eachAdapter(t, 'a front controller', async (t, adapter) => {
    for (const mount of ['', '/shop']) {
      if (adapter === 'http' && mount !== '') continue
      const frontController = '/server.php'
      const options = { upstream, root: SITE, frontController, ...(mount && { prefix: mount }) }
      const { port } = await startAdapter(t, adapter, options)
      const params = await serverParams(port, `${mount}/articles/7?x=1`)
      t.match(params, {
        SCRIPT_NAME: `${mount}/server.php`,
        SCRIPT_FILENAME: `${SITE}/server.php`,
        PHP_SELF: `${mount}/server.php`,
        REQUEST_URI: `${mount}/articles/7?x=1`,
        QUERY_STRING: 'x=1',
      })
      t.notOk(params.PATH_INFO)
      t.match(bodyOf(await rawGet(port, `${mount}/pid.php`)), /^\d+$/, 'other scripts still run')
    }
  })
}
