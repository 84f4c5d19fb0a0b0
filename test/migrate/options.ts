/** Whether our options exist: asked of the functions that take them. */
import { Balancer } from '@fastcgi/client'
import * as fastify from '@fastcgi/fastify'
import { createAuthorizer, createGateway } from '@fastcgi/gateway'
import { createProcessManager } from '@fastcgi/process-manager'

/** No option accepts it. */
const WRONG = Symbol('no value of an option')
const ADDRESS = '127.0.0.1:9'

/** What the column "of" of the tables says, and who takes such options. */
const SCOPES: Readonly<Record<string, (options: object) => unknown>> = {
  gateway: (options) => createGateway({ upstream: ADDRESS, checkLocal: false, ...options }),
  authorizer: (options) => createAuthorizer({ upstream: ADDRESS, ...options }),
  balancer: (options) => new Balancer({ members: [ADDRESS], ...options }),
  member: (options) => new Balancer({ members: [{ address: ADDRESS, ...options }] }),
  'process manager': (options) => createProcessManager({ command: ['true'], ...options }),
}

/** Why an option of a table is none; undefined if it is one. @param path `timeouts.head` */
export function optionProblem(scope: string, path: string): string | undefined {
  if (scope === 'export') return path in fastify ? undefined : `@fastcgi/fastify exports no ${path}`
  const make = SCOPES[scope]
  if (make === undefined) return `${path}: nobody is called ${scope}`
  const names = path.split('.')
  const options = names.reduceRight<unknown>((value, name) => ({ [name]: value }), WRONG)
  const message = messageOf(() => make(options as object))
  const last = names.at(-1) ?? ''
  const unknown = /unknown option/.test(message) || message.includes(`not ${last}`)
  if (message !== '' && !unknown && message.includes(names[0] ?? '')) return undefined
  return `${scope} has no option ${path}: ${message}`
}

function messageOf(make: () => unknown): string {
  try {
    make()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}
