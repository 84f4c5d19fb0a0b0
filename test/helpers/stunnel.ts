/** A real TLS terminator in front of a FastCGI application. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Authority, Certificate } from './certificates.ts'
import { lastingPort } from './ports.ts'
import { accepting, findProgram, startProgram } from './programs.ts'
import { needs } from './require-program.ts'

const STUNNEL = findProgram('stunnel4')

export const NEEDS_STUNNEL = needs('stunnel4', STUNNEL)

/**
 * Starts stunnel; it ends with the test. Returns the port it listens on.
 * @param where unix socket or port that it passes connections on to.
 * @param more lines of its service.
 */
export async function stunnel(
  t: Test,
  authority: Authority,
  { certFile, keyFile }: Certificate,
  where: string,
  more: readonly string[] = [],
): Promise<number> {
  const port = await lastingPort()
  const file = join(authority.directory, `stunnel-${port}.conf`)
  writeFileSync(
    file,
    [
      'foreground = yes',
      'pid =',
      'syslog = no',
      '[fcgi]',
      `accept = 127.0.0.1:${port}`,
      `connect = ${where.replace(/^unix:/, '')}`,
      `cert = ${certFile}`,
      `key = ${keyFile}`,
      ...more,
      '',
    ].join('\n'),
  )
  const program = startProgram(t, STUNNEL ?? '', [file])
  await accepting(program, port)
  return port
}
