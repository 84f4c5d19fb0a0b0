#!/usr/bin/env node
// The program `fastcgi`: calls the command that its first argument names.
import { ping } from './ping.ts'
import { request } from './request.ts'
import { serve } from './serve.ts'
import { SERVE_USAGE } from './serve-options.ts'
import { spawn } from './spawn.ts'
import { version } from './version.ts'

const USAGE = `fastcgi: FastCGI for Node.js

  fastcgi serve …     serve a directory of PHP, or any FastCGI application, over HTTP
  fastcgi request …   send one request and print the response
  fastcgi ping …      check whether an application answers
  fastcgi spawn …     start a FastCGI application on a socket, as spawn-fcgi does
  fastcgi --version

fastcgi COMMAND --help shows the options of a command.

${SERVE_USAGE}`

/** The commands; each has its own file. */
const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  serve,
  request,
  ping,
  spawn,
}

async function main([command = '--help', ...rest]: string[]): Promise<void> {
  if (command === '--help' || command === '-h' || command === 'help') {
    console.log(USAGE)
    return
  }
  if (command === '--version') {
    console.log(version())
    return
  }
  const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
  if (run !== undefined) await run(rest)
  else {
    console.error(
      `fastcgi: unknown command ${command}; there are ${Object.keys(COMMANDS).join(', ')}`,
    )
    process.exitCode = 2
  }
}

await main(process.argv.slice(2))
