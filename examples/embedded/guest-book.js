// The guest book: a session in a cookie, a form and a redirect.
import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { html, sendPage, url } from './page.js'

/** @typedef {{ visits: number, entries: { name: string, message: string }[] }} Session */

/** @type {Map<string, Session>} */
const sessions = new Map()
const MOST_SESSIONS = 1000
const COOKIE = 'NODESESSID'

/**
 * Shows the entries of the session and a form (POST, urlencoded), and redirects after a POST.
 * @param {import('@fastcgi/application').FastCGIRequest} req
 * @param {import('node:http').ServerResponse} res
 */
export async function guestBook(req, res) {
  const session = findSession(req) ?? startSession(req, res)
  if (req.method === 'POST') {
    const form = new URLSearchParams(await text(req))
    const message = form.get('message') ?? ''
    const entry = { name: (form.get('name') ?? '').slice(0, 100), message: message.slice(0, 1000) }
    if (message.trim() !== '') session.entries = [entry, ...session.entries].slice(0, 20)
    res.writeHead(303, { Location: url(req, '/guestbook.php') }).end()
    return
  }
  session.visits++
  const entries = session.entries.map(
    ({ name, message }) => `<blockquote>
  <p>${html(message).replaceAll('\n', '<br />\n')}</p>
  <footer>${html(name || 'Anonymous')}</footer>
</blockquote>`,
  )
  const main = `<p>Visits in this session: ${session.visits}</p>
<form method="post">
  <label>Name <input name="name" maxlength="100"></label>
  <label>Message <textarea name="message" maxlength="1000" required></textarea></label>
  <button>Sign</button>
</form>
${entries.join('\n')}`
  sendPage(req, res, { title: 'Guest book', main })
}

/** @param {import('@fastcgi/application').FastCGIRequest} req */
function findSession(req) {
  const id = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(req.headers.cookie ?? '')?.[1]
  return sessions.get(id ?? '')
}

/**
 * @param {import('@fastcgi/application').FastCGIRequest} req
 * @param {import('node:http').ServerResponse} res
 */
function startSession(req, res) {
  const id = randomUUID()
  /** @type {Session} */
  const session = { visits: 0, entries: [] }
  sessions.set(id, session)
  const [oldest] = sessions.keys()
  if (sessions.size > MOST_SESSIONS && oldest !== undefined) sessions.delete(oldest)
  res.setHeader('Set-Cookie', `${COOKIE}=${id}; path=${url(req, '/')}; HttpOnly; SameSite=Lax`)
  return session
}
