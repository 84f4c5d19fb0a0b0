import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import { Controller, Get, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyInstance } from 'fastify'

@Controller('api')
class ApiController {
  @Get()
  hello() {
    return { hello: 'from Node' }
  }
}

@Module({ controllers: [ApiController] })
class AppModule {}

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env
const php = { upstream: PHP, root: ROOT }

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter())
// After init(), which sets Nest's error handler: scopes have that of the time when they are registered.
await app.init()
await app.register(async (scope: FastifyInstance) => {
  scope.register(fastcgiAuthorizer, { ...php, script: '/authorize.php', match: '/legacy/private/' })
  scope.register(fastcgiProxy, { ...php, prefix: '/legacy' })
})
await app.listen(Number(PORT), '127.0.0.1')
