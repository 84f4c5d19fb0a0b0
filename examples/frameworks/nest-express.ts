import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/express'
import { Controller, Get, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'

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

const app = await NestFactory.create<NestExpressApplication>(AppModule)
// Before listen(), which adds Nest's body parsers.
app.use('/legacy/private', fastcgiAuthorizer({ ...php, script: '/authorize.php' }))
app.use('/legacy', fastcgiProxy(php))
await app.listen(Number(PORT), '127.0.0.1')
