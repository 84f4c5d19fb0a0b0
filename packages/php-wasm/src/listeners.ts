// The listeners of the roles: pass a FastCGI request to PHP, and PHP's response to the web server.
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastCGIRequest, RoleListeners } from '@fastcgi/application'
import { withParams } from './ini.ts'
import type { ResponseReceiver } from './instance.ts'
import type { InstancePool } from './pool.ts'
import { type ResponseHead, readHead } from './response-head.ts'

/** Creates the listeners for `createServer` of `@fastcgi/application`. Like php-cgi, a script may be an authorizer. */
export function phpListeners(pool: InstancePool, ini: string): RoleListeners {
  return {
    responder: (req, res) => respond(pool, ini, req, res),
    authorizer: (req) => authorize(pool, ini, req),
  }
}

async function respond(
  pool: InstancePool,
  ini: string,
  req: FastCGIRequest,
  res: ServerResponse,
): Promise<void> {
  const { fastcgi, signal } = req
  // Those of a body or response that breaks off; without a listener they would end the process.
  req.on('error', () => {})
  res.on('error', () => {})
  let rest: Buffer | undefined
  const gone = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    await run(pool, ini, req, {
      onHead({ status, fields }) {
        if (signal.aborted) return
        res.writeHead(status, [...fields])
      },
      async onOutput({ bytes, last }) {
        // So that a small response leaves whole, with its end.
        if (last) rest = bytes
        // A connection that is lost takes no more.
        else await Promise.race([write(res, bytes), gone])
      },
    })
    if (!signal.aborted) res.end(rest)
  } catch (error) {
    fastcgi.stderr(`${messageOf(error)}\n`)
    // Status 500, or, after the head, an incomplete response.
    res.destroy()
  }
}

/** @throws Error if there is no decision; access is denied then. */
async function authorize(pool: InstancePool, ini: string, req: FastCGIRequest) {
  const chunks: Uint8Array[] = []
  const headers: OutgoingHttpHeaders = {}
  let status = 500
  await run(pool, ini, req, {
    onHead(head) {
      status = head.status
      for (let at = 0; at < head.fields.length; at += 2) {
        const name = head.fields[at] as string
        headers[name] = [headers[name] ?? [], head.fields[at + 1] as string].flat().map(String)
      }
    },
    async onOutput({ bytes }) {
      chunks.push(bytes)
    },
  })
  return { status, headers, body: Buffer.concat(chunks) }
}

interface Receiver extends Pick<ResponseReceiver, 'onOutput'> {
  onHead(head: ResponseHead): void
}

/** Runs the script of a request when its turn has come. */
function run(
  pool: InstancePool,
  ini: string,
  req: FastCGIRequest,
  { onHead, onOutput }: Receiver,
): Promise<void> {
  const { fastcgi, signal } = req
  // An authorizer has no body (FastCGI 1.0 §6.3).
  const bodyLength = fastcgi.role === 'authorizer' ? 0 : Number(fastcgi.params.CONTENT_LENGTH) || 0
  const request = { params: fastcgi.rawParams, body: req, bodyLength, signal }
  return pool.use(withParams(ini, fastcgi.params), (instance) =>
    instance.run(request, {
      onHead(json) {
        const head = readHead(json)
        for (const name of head.dropped)
          fastcgi.stderr(`The field ${JSON.stringify(name)} is invalid, and is not sent.\n`)
        onHead(head)
      },
      onOutput,
      onStderr: (text) => fastcgi.stderr(text),
    }),
  )
}

/** Resolves when the connection has taken the chunk. */
function write(res: ServerResponse, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    res.write(chunk, () => resolve())
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
