/** Applications made with libfcgi, in Perl. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { within } from './wait.ts'

const PERL = 'perl'

/** The Perl that has the module FCGI. */
export function findPerlFcgi(): string | undefined {
  return spawnSync(PERL, ['-MFCGI', '-e', '1']).status === 0 ? PERL : undefined
}

/** An application on a unix socket. */
export interface PerlApplication {
  address: string
  process: ChildProcess
  stop(): Promise<void>
}

/** Starts an application that runs `source` for every request; `$request` is the FCGI::Request. */
export async function startPerlFcgi(source: string): Promise<PerlApplication> {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  const path = join(directory, 's')
  const program = `
    use strict;
    my $socket = FCGI::OpenSocket($ARGV[0], 128);
    syswrite STDOUT, 'ready';
    my $request = FCGI::Request(\\*STDIN, \\*STDOUT, \\*STDERR, \\%ENV, $socket);
    while ($request->Accept() >= 0) { ${source} }`
  const child = spawn(PERL, ['-MFCGI', '-e', program, path], { stdio: ['ignore', 'pipe', 2] })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await within('the application', once(child.stdout as Readable, 'data'))
  } catch (error) {
    await stop()
    throw error
  }
  return { address: `unix:${path}`, process: child, stop }
}
