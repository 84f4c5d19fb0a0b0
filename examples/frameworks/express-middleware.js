import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/express'
import compression from 'compression'
import express from 'express'
import session from 'express-session'
import helmet from 'helmet'
import morgan from 'morgan'
import multer from 'multer'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env
const php = { upstream: PHP, root: ROOT }
const app = express()
app.use(morgan('combined'), helmet(), compression())
app.use(session({ secret: 'change me', resave: false, saveUninitialized: true }))

app.use('/legacy/private', fastcgiAuthorizer({ ...php, script: '/authorize.php' }))
// PHP is told of the session of Node.
app.use('/legacy', fastcgiProxy({ ...php, env: (req) => ({ NODE_SESSION: req.session.id }) }))

// Parsers of bodies belong to the routes of Node, or behind PHP.
const upload = multer({ limits: { fileSize: 1_000_000 } })
app.post('/api/upload', upload.single('file'), (req, res) => res.json({ size: req.file?.size }))
app.use(express.urlencoded())
app.post('/api/form', (req, res) => res.json(req.body))
app.get('/api', (_req, res) => res.json({ hello: 'from Node' }))
app.listen(Number(PORT), '127.0.0.1')
