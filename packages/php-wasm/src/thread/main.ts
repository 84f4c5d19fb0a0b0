// The thread in which PHP runs: takes one request at a time, see messages.ts.
import { parentPort, workerData } from 'node:worker_threads'
import type { FromThread, ThreadStart, ToThread } from '../messages.ts'
import { OutputRing } from '../output-ring.ts'
import type { PhpModule } from './emscripten.ts'
import { FileLocks } from './file-locks.ts'
import { HostFiles } from './host-files.ts'
import { lockCalls } from './lock-calls.ts'
import { Output } from './output.ts'
import { isScript, RequestBody, runScript } from './request.ts'
import { serverVariables } from './server-variables.ts'
import { instantiatePhp, startPhp } from './start.ts'

/** What php-cgi answers if there is no script. */
const NO_SCRIPT = {
  head: JSON.stringify({ status: 404, headers: ['Content-type: text/html; charset=UTF-8'] }),
  body: 'No input file specified.\n',
}

const start = workerData as ThreadStart
const port = parentPort
if (port === null) throw new Error('this module runs in a thread')
const send = (message: FromThread): void => port.postMessage(message)

const output = new Output(send, new OutputRing(start.output))
const locks = new FileLocks(start.owner)
const php = await instantiatePhp(start, (space) => lockCalls(locks, space, start.cacheDirectory))
const files = new HostFiles(php.FS)
output.attach(php)
await startPhp(php, start.ini)

let variables: ReadonlyMap<string, string> = new Map()
let body: RequestBody | undefined

port.on('message', (message: ToThread) => {
  if (message.type === 'begin') {
    variables = serverVariables(message.params)
    body = message.bodyLength > 0 ? new RequestBody(php, message.bodyLength) : undefined
  } else if (message.type === 'body') body?.push(message.chunk)
  else {
    body?.free()
    end(0)
    return
  }
  if (body === undefined || body.complete) run(php)
})
send({ type: 'ready' })

/** A rejection ends the thread: PHP has aborted. */
async function run(php: PhpModule): Promise<void> {
  const script = variables.get('SCRIPT_FILENAME') ?? ''
  files.include(script)
  output.begin()
  let exitStatus = 0
  if (isScript(php, script)) exitStatus = await runScript(php, { variables, body })
  else output.answer(NO_SCRIPT.head, NO_SCRIPT.body)
  body?.free()
  output.end()
  end(exitStatus)
}

function end(exitStatus: number): void {
  body = undefined
  send({ type: 'end', exitStatus, memory: php.HEAPU8.length })
}
