/** `fastcgi spawn` as a process of its own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FastCGIClient } from '@fastcgi/client'
import type { Test } from 'tap'
import { scaled } from './time-limit.ts'

const MAIN = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url))
export const OURS = [process.execPath, MAIN, 'spawn']
export const ENV = { PATH: process.env.PATH ?? '', NODE_OPTIONS: '', KEPT: 'yes' }

/** A directory that anybody may enter, gone after the test. */
export function directoryOf(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'fcgi-'))
  chmodSync(path, 0o755)
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function run(
  command: string[],
  cwd: string,
): { status: number | null; stdout: string; stderr: string } {
  const [file = '', ...args] = command
  // Files, not pipes: in a chroot, where there is no /dev/null, spawn-fcgi leaves the program its own output.
  const files = [1, 2].map((at) => join(cwd, `output-${at}`))
  const output = files.map((path) => openSync(path, 'w'))
  const stdio = ['ignore', ...output] as const
  const { status } = spawnSync(file, args, {
    cwd,
    env: ENV,
    timeout: scaled(30_000),
    stdio: [...stdio],
  })
  for (const fd of output) closeSync(fd)
  const [stdout = '', stderr = ''] = files.map((path) => readFileSync(path, 'utf8'))
  return { status, stdout, stderr }
}

export async function answerOf(upstream: string): Promise<number> {
  const client = new FastCGIClient(upstream, { reuse: false })
  const response = await client.request({ params: { REQUEST_METHOD: 'GET' } })
  const text = await response.text()
  await client.close()
  return Number(text)
}
