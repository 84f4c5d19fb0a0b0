import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** How long a program may take, in milliseconds. */
const DEADLINE = 300_000

/**
 * Runs a program to its end.
 * @param {readonly string[]} args
 * @param {Record<string, string>} env beside the environment.
 * @returns {Promise<{ status: number | string, output: string }>} output: what it has written to stdout and stderr
 */
export async function run(program, args, cwd, env = {}) {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [code, signal] = await once(child, 'close')
  return { status: code ?? signal, output }
}
