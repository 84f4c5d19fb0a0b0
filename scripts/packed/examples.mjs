// The examples of README.md, as ES modules, as CommonJS and as TypeScript, in front of a real php-fpm.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findPhpFpm, startPhpFpm } from '../php.mjs'
import { blocksOf } from './documents.mjs'
import { asCommonJS } from './modules.mjs'
import { run } from './run.mjs'

/** How long an example may take to listen, in milliseconds. */
const DEADLINE = 30_000
const TSC = ['node_modules/typescript/bin/tsc', '--ignoreConfig', '--strict', '--types', 'node']

/** @yields {[name: string, problems: string[]]} */
export async function* checkExamples(directory) {
  if (findPhpFpm() === undefined) {
    const required = process.env.FCGI_TEST_REQUIRE === '1'
    yield ['examples of README.md, without php-fpm: not run', required ? ['it is required'] : []]
    return
  }
  const root = join(directory, 'site')
  mkdirSync(root)
  writeFileSync(join(root, 'hello.php'), "<?php echo 'Hello ', $_GET['name'];")
  const [unix, tcp] = await Promise.all([startPhpFpm(), startPhpFpm({ listen: 'tcp' })])
  try {
    const shown = blocksOf('README.md').filter(({ language }) => language === 'js')
    for (const [at, { where, code }] of shown.entries()) {
      const port = await freePort()
      const real = code
        .replaceAll('/var/www/site', root)
        .replaceAll('unix:/run/php/php-fpm.sock', unix.address)
        .replaceAll('127.0.0.1:9000', tcp.address)
        .replace(/\.listen\(3000\)/, `.listen(${port}, '127.0.0.1')`)
        .replaceAll('3000', String(port))
      const name = `example-${at}`
      const forms = [
        [`${name}.mjs`, `${name}.mjs`, real],
        [`${name}.cjs`, `${name}.cjs`, asCommonJS(real)],
        [`${name}.ts`, `${name}.js`, real],
      ]
      for (const [file, program, text] of forms) {
        writeFileSync(join(directory, file), text)
        const problem =
          (file.endsWith('.ts') ? await compile(directory, file) : undefined) ??
          (await serve(directory, program, port))
        yield [`${where} as ${file.replace(name, '')}`, problem === undefined ? [] : [problem]]
      }
    }
  } finally {
    await Promise.all([unix.stop(), tcp.stop()])
  }
}

async function compile(directory, file) {
  const { status, output } = await run(
    process.execPath,
    [...TSC, '--module', 'nodenext', file],
    directory,
  )
  return status === 0 ? undefined : output
}

/** What is wrong with a program that should serve PHP; undefined for nothing. */
async function serve(directory, program, port) {
  const child = spawn(process.execPath, [program], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (output += text))
  const closed = once(child, 'close')
  try {
    const until = performance.now() + DEADLINE
    while (child.exitCode === null && performance.now() < until) {
      const text = await fetch(`http://localhost:${port}/hello.php?name=you`).then(
        (response) => response.text(),
        () => undefined,
      )
      if (text !== undefined) return text === 'Hello you' ? undefined : `it answers: ${text}`
      await delay(50)
    }
    return `it does not listen: ${output}`
  } finally {
    child.kill('SIGKILL')
    await closed
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
