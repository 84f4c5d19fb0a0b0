import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/express'
import express from 'express4' // Express 4; in an app of your own, 'express'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env
const php = { upstream: PHP, root: ROOT }
const app = express()
app.use('/legacy/private', fastcgiAuthorizer({ ...php, script: '/authorize.php' }))
app.use('/legacy', fastcgiProxy(php))
app.get('/api', (_req, res) => res.json({ hello: 'from Node' }))
app.listen(Number(PORT), '127.0.0.1')
