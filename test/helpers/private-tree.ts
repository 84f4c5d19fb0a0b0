/** Ways to ask for what lies below `/private`, and a tree of files in which nothing of that may be seen unasked. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** What every private file contains. */
export const SECRET = 'SECRET-7c1f'

/** A site with a private directory in it; gone with the test. */
export function privateTree(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'private-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'private/sub'), { recursive: true })
  mkdirSync(join(root, 'x'))
  for (const name of ['index.php', 'x.php', 'x/a.php']) writeFileSync(join(root, name), 'open')
  for (const name of ['index.php', 'x.php', 'data.txt', 'sub/y.php'])
    writeFileSync(join(root, 'private', name), SECRET)
  return root
}

const DIRECTORIES: readonly string[] = [
  '/private/',
  '//private/',
  '///private/',
  '/private//',
  '/./private/',
  '/././private/',
  '/x/../private/',
  '/x/./../private/',
  '/x//../private/',
  '/private/./',
  '/private/x/../',
  '/private/../private/',
  '/%70rivate/',
  '/%70%72%69%76%61%74%65/',
  '/privat%65/',
  '/%2e/private/',
  '/x/%2e%2e/private/',
  '/x/%2E./private/',
  '/x/.%2e/private/',
  '/x/..%2fprivate/',
  '/x%2f..%2fprivate/',
  '/%2fprivate/',
  '/private%2f',
  '/private%2F',
  '/x;a=b/../private/',
  '/private;a=b/../private/',
  '/;/../private/',
  '/PRIVATE/',
  '/Private/',
  '/priVate/',
  '/%50rivate/',
  '/private\\',
  '/private%5c',
  '\\private/',
  '/%5cprivate/',
  '/x\\..\\private/',
  '/x/..%5cprivate/',
  '/private./',
  '/private../',
  '/private%20/',
  '/private%2e/',
  '/%2570rivate/',
  '/x/%252e%252e/private/',
  '/private%252f',
  '/%c0%afprivate/',
  '/x/%c0%ae%c0%ae/private/',
  '/x/%e0%80%ae%e0%80%ae/private/',
  '/%ef%bd%90rivate/',
  '/private%00/',
  '/%00/../private/',
  '/private%0a/',
  '/private%09/',
  '/a/b/../../private/',
  '/a/../b/../private/',
  '/..//private/',
  '/../private/',
  '/x/../../private/',
]

const FILES: readonly string[] = ['x.php', 'data.txt', '', 'index.php', 'x.php/info', 'sub/y.php']

const WHOLE: readonly string[] = [
  'http://localhost/private/x.php',
  'http://localhost//private/x.php',
  'http://other/x/../private/x.php',
  'HTTP://LOCALHOST/private/x.php',
  'https://localhost:444/%70rivate/x.php',
  '//localhost/private/x.php',
  '/private',
  '//private',
  '/private?x=/../',
  '/x.php/../private/x.php',
  '/index.php/../private/x.php',
  '/x?/../private/x.php',
  '/private/x.php?a=b',
  '/private/x.php?/../../x.php',
  '/private/x.php%3fa=b',
  '/private/x.php#x',
  '/x#/../private/x.php',
  '/x%23/../private/x.php',
  '/x%3f/../private/x.php',
  '/private/x.php/',
  '/private/x.php/.',
  '/private/x.php/../x.php',
  '/private/x.PHP',
  '/private/x.php.',
  '/private/x.php%20',
  '/private/x.php%00.txt',
  '/private/x.php::$DATA',
  '/private/sub/../x.php',
  '/private/sub/../../private/x.php',
]

/** All of them: each spelling of the directory with a script, and one with every kind of file. */
export const PRIVATE_TARGETS: readonly string[] = [
  ...new Set([
    ...DIRECTORIES.flatMap((directory) => [`${directory}x.php`, `${directory}data.txt`, directory]),
    ...FILES.map((file) => `//private/${file}`),
    ...FILES.map((file) => `/x/../private/${file}`),
    ...WHOLE,
  ]),
]

/** Methods that node:http takes, of which a scope has routes for the first only. */
export const PRIVATE_METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'OPTIONS',
  'PROPFIND',
  'PURGE',
]
