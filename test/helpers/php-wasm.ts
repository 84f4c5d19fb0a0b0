/** PHP compiled to WebAssembly, and scripts for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FastCGIClient, type FastCGIRequest } from '@fastcgi/client'
import type { Test } from 'tap'
import { type PhpCgiOptions, startPhpWasm } from '#php'

/** What a script has answered. */
export interface ScriptAnswer {
  status: number
  headers: readonly string[]
  text: string
  stderr: string
}

/** A running program, and a directory for scripts. */
export interface ScriptRunner {
  pid: number
  directory: string
  /** Writes a script; returns the params that ask for it. */
  script(source: string): Record<string, string>
  /** Asks for a script that has been written. */
  ask(params: Record<string, string>, request?: Partial<FastCGIRequest>): Promise<ScriptAnswer>
  /** Writes a script, and asks for it. */
  run(source: string, request?: Partial<FastCGIRequest>): Promise<ScriptAnswer>
}

/** Starts the program with one instance; it is stopped with the test. */
export async function startScriptRunner(
  t: Test,
  options: PhpCgiOptions = {},
): Promise<ScriptRunner> {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  const php = await startPhpWasm({ children: 1, ...options })
  const client = new FastCGIClient(php.address)
  t.teardown(async () => {
    await client.destroy()
    await php.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  let scripts = 0
  const script = (source: string): Record<string, string> => {
    const file = join(directory, `${++scripts}.php`)
    writeFileSync(file, source)
    return { REQUEST_METHOD: 'GET', SCRIPT_NAME: `/${scripts}.php`, SCRIPT_FILENAME: file }
  }
  const ask: ScriptRunner['ask'] = async (params, request = {}) => {
    const all = { ...params, ...(request.params as Record<string, string> | undefined) }
    const response = await client.request({ ...request, params: all })
    const text = await response.text()
    const { status, headers, stderr } = response
    return { status, headers, text, stderr: stderr.join('\n') }
  }
  const run: ScriptRunner['run'] = (source, request) => ask(script(source), request)
  return { pid: php.pid, directory, script, ask, run }
}
