#!/usr/bin/env node
// The program `fastcgi`: calls the command that its first argument names.
import { similarName } from '@fastcgi/client/internal'
import { version } from './version.ts'

const USAGE = `fastcgi: FastCGI for Node.js

  fastcgi serve [DIR]     serve a directory of PHP, or any FastCGI application, over HTTP
  fastcgi status URL      show the status page of a server as a table
  fastcgi request …       send one request to an application and print the response
  fastcgi ping …          check whether an application answers
  fastcgi spawn …         start a FastCGI application on a socket, as spawn-fcgi does
  fastcgi --version

fastcgi COMMAND --help shows the options of a command.`

type Command = (args: string[]) => Promise<void>

/** The commands; each has its own file, which is loaded if it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve/serve.ts')).serve,
  status: async () => (await import('./status/status.ts')).status,
  request: async () => (await import('./request/request.ts')).request,
  ping: async () => (await import('./request/ping.ts')).ping,
  spawn: async () => (await import('./spawn/spawn.ts')).spawn,
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
  const load = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
  if (load !== undefined) {
    const run = await load()
    await run(rest)
  } else {
    const names = Object.keys(COMMANDS)
    const meant = similarName(command, names)
    const advice = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
    console.error(`fastcgi: unknown command ${command}; ${advice}`)
    process.exitCode = 2
  }
}

await main(process.argv.slice(2))
