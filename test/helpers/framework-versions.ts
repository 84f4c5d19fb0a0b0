/** Where versions of the frameworks want different words. */
import express from 'express'
import Fastify, { type FastifyServerOptions } from 'fastify'

const IS_EXPRESS_4 = 'lazyrouter' in express.application

/** The last part of a pattern of a path for Express, which stands for whatever follows. */
export const REST = IS_EXPRESS_4 ? '*' : '*rest'

const [, minor = '0'] = Fastify().version.split('.')

/** Options of the router of Fastify, which were options of the server before 5.5. */
export function routerOptions(
  options: NonNullable<FastifyServerOptions['routerOptions']>,
): FastifyServerOptions {
  return Number(minor) < 5 ? (options as FastifyServerOptions) : { routerOptions: options }
}
