/** The part of Next.js that is used here: it is too large to be installed with every clone. */
declare module 'next' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  interface NextServer {
    prepare(): Promise<void>
    getRequestHandler(): (req: IncomingMessage, res: ServerResponse) => Promise<void>
    renderError(
      error: Error,
      req: IncomingMessage,
      res: ServerResponse,
      pathname: string,
    ): Promise<void>
  }
  export default function next(options: { dev: boolean }): NextServer
}
