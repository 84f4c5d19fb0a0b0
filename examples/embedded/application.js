// A FastCGI application in Node with the same pages as the PHP site, selected by the names of its scripts.
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createServer } from '@fastcgi/application'
import { articles } from './articles.js'
import { guestBook } from './guest-book.js'
import { html, notFound, sendPage, url } from './page.js'

/** @typedef {import('@fastcgi/application').FastCGIRequest} Request */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

/** @type {Record<string, (req: Request, res: ServerResponse) => void | Promise<void>>} */
const scripts = {
  'index.php': home,
  'article.php': articleByPathInfo,
  'guestbook.php': guestBook,
  'upload.php': upload,
  'download.php': download,
  'api.php': api,
  'report.php': report,
}

/** Creates the server; the caller has it listen. */
export function createApplication() {
  return createServer(async (req, res) => {
    const script = scripts[basename(req.fastcgi.params.SCRIPT_FILENAME ?? '')] ?? notFound
    try {
      await script(req, res)
    } catch (error) {
      // STDERR goes to the error log of the web server, as errors of PHP do.
      req.fastcgi.stderr(`${error instanceof Error ? error.stack : error}\n`)
      if (res.headersSent) res.destroy()
      else sendPage(req, res, { status: 500, title: 'Something is wrong', main: '' })
    }
  })
}

/** @type {(req: Request, res: ServerResponse) => void} */
function home(req, res) {
  const path = decodeURIComponent((req.url ?? '').split('?', 1)[0] ?? '')
  const slug = /\/articles\/([^/]+)$/.exec(path)?.[1]
  if (slug !== undefined) {
    const article = articles[slug]
    if (article === undefined) notFound(req, res)
    else sendPage(req, res, { title: article.title, main: `<p>${html(article.text)}</p>` })
    return
  }
  if (![url(req, ''), url(req, '/'), url(req, '/index.php')].includes(path)) {
    notFound(req, res)
    return
  }
  const items = Object.entries(articles).map(
    ([slug, { title, year }]) =>
      `<li><a href="${html(url(req, `/articles/${slug}`))}">${html(title)}</a>
    (<a href="${html(url(req, `/article.php/${year}/${slug}`))}">the same by PATH_INFO</a>)`,
  )
  sendPage(req, res, { title: 'A legacy site', main: `<ul>\n${items.join('\n')}\n</ul>` })
}

/** @type {(req: Request, res: ServerResponse) => void} */
function articleByPathInfo(req, res) {
  const match = /^\/(\d{4})\/([^/]+)$/.exec(req.fastcgi.params.PATH_INFO ?? '')
  const article = articles[match?.[2] ?? '']
  if (article === undefined || String(article.year) !== match?.[1]) notFound(req, res)
  else {
    const main = `<p>${html(article.text)}</p>\n<p><small>${article.year}</small></p>`
    sendPage(req, res, { title: article.title, main })
  }
}

/** @type {(req: Request, res: ServerResponse) => Promise<void>} */
async function upload(req, res) {
  let status = 200
  let answer = ''
  if (req.method === 'POST') {
    const headers = { 'content-type': req.headers['content-type'] ?? '' }
    const body = /** @type {ReadableStream} */ (Readable.toWeb(req))
    const form = await new Response(body, { headers }).formData().catch(() => new FormData())
    const file = form.get('file')
    if (file instanceof Blob) {
      const sha1 = createHash('sha1').update(new Uint8Array(await file.arrayBuffer()))
      answer = `${file.name}: ${file.size} bytes, SHA-1 ${sha1.digest('hex')}`
    } else {
      status = 400
      answer = 'No file arrived.'
    }
  }
  const main = `${answer && `<p><output>${html(answer)}</output></p>\n`}<form method="post" enctype="multipart/form-data">
  <label>File <input type="file" name="file" required></label>
  <button>Send</button>
</form>`
  sendPage(req, res, { status, title: 'Upload', main })
}

/** @type {(req: Request, res: ServerResponse) => Promise<void>} */
async function download(req, res) {
  const given = Number(new URL(req.url ?? '', 'http://localhost').searchParams.get('rows') ?? 1000)
  const rows = Number.isInteger(given) && given >= 1 && given <= 1_000_000 ? given : 1000
  res.setHeader('Content-Type', 'text/csv; charset=utf-8')
  res.setHeader('Content-Disposition', 'attachment; filename="squares.csv"')
  await pipeline(squares(rows), res)
}

/** @param {number} rows */
function* squares(rows) {
  let text = 'number,square\n'
  for (let number = 1; number <= rows; number++) {
    text += `${number},${number ** 2}\n`
    if (text.length < 16_384) continue
    yield text
    text = ''
  }
  yield text
}

/** @type {(req: Request, res: ServerResponse) => Promise<void>} */
async function api(req, res) {
  /** @type {(status: number, data: object) => void} */
  const answer = (status, data) => {
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(data))
  }
  if (req.method === 'GET' || req.method === 'HEAD') {
    const { searchParams } = new URL(req.url ?? '', 'http://localhost')
    const query = Object.fromEntries(searchParams)
    answer(200, { node: process.versions.node, uri: req.url, query })
  } else if (req.method === 'POST') {
    const body = await buffer(req)
    try {
      answer(201, { received: JSON.parse(body.toString()), bytes: body.length })
    } catch {
      answer(400, { error: 'No JSON' })
    }
  } else {
    res.setHeader('Allow', 'GET, HEAD, POST')
    answer(405, { error: 'Only GET, HEAD and POST' })
  }
}

/** @type {(req: Request, res: ServerResponse) => void} */
function report(req, res) {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8')
  res.end(`Report of ${new Date().toISOString()}
Node ${process.versions.node}, process ${process.pid}
Asked for by ${req.method} ${req.url}
`)
}
