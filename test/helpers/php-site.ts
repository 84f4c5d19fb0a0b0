/** PHP for tests, and the scripts that it runs. */
import { randomUUID } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  findPhpCgi,
  findPhpFpm,
  type PhpCgiOptions,
  type PhpFpmOptions,
  type PhpProcess,
  startPhpCgi,
  startPhpFpm,
  startPhpWasm,
} from '#php'
import { ON_WASM } from './php-on-wasm.ts'
import { needs } from './require-program.ts'

/** Document root with one small script for each purpose. */
export const SITE = join(process.cwd(), 'test/fixtures/php')

export const NEEDS_FPM = ON_WASM ? needs('php-wasm', 'there') : needs('php-fpm', findPhpFpm())
export const NEEDS_CGI = ON_WASM
  ? { skip: 'php-wasm stands in for php-fpm' }
  : needs('php-cgi', findPhpCgi())

/** What a distribution's php.ini may say otherwise. */
const INI = { display_errors: 0, log_errors: 1, output_buffering: 0, post_max_size: 0 }

/** Starts php-fpm with two workers; it is stopped with the test. */
export async function phpFpm(t: Test, options: PhpFpmOptions = {}): Promise<PhpProcess> {
  const startPhp = ON_WASM ? startPhpWasm : startPhpFpm
  const php = await startPhp({ ...options, ini: { ...INI, ...options.ini } })
  t.teardown(() => php.stop())
  return php
}

/** Starts php-cgi with two workers; it is stopped with the test. */
export async function phpCgi(t: Test, options: PhpCgiOptions = {}): Promise<PhpProcess> {
  const php = await startPhpCgi({ ...options, ini: { ...INI, ...options.ini } })
  t.teardown(() => php.stop())
  return php
}

/** Passes connections on to PHP and counts them; php-fpm's own count is one of requests. */
export async function countConnections(
  t: Test,
  php: PhpProcess,
): Promise<{ address: string; count(): number }> {
  let count = 0
  const path = php.address.replace(/^unix:/, '')
  const server = createServer((socket) => {
    count++
    const other = connect(path)
    for (const end of [socket, other]) end.on('error', () => {})
    socket.pipe(other).pipe(socket)
    socket.once('close', () => other.destroy())
  })
  const own = `${path}-counted-${randomUUID().slice(0, 8)}`
  await new Promise<void>((resolve) => server.listen(own, resolve))
  t.teardown(() => server.close())
  return { address: `unix:${own}`, count: () => count }
}
