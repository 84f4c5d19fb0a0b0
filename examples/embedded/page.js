// The HTML that all pages share.
import { posix } from 'node:path'

/** @typedef {import('@fastcgi/application').FastCGIRequest} Request */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

/** @type {Record<string, string>} */
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#039;' }

/**
 * Escapes text for HTML.
 * @param {string | number} text
 */
export function html(text) {
  return String(text).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? letter)
}

/**
 * Absolute path of a page, below the path at which the site is mounted.
 * @param {Request} req
 * @param {string} path
 */
export function url(req, path) {
  const mount = posix.dirname(req.fastcgi.params.SCRIPT_NAME ?? '/')
  return (mount === '/' ? '' : mount) + path
}

/**
 * @param {Request} req
 * @param {ServerResponse} res
 * @param {{ status?: number, title: string, main: string }} page
 */
export function sendPage(req, res, { status = 200, title, main }) {
  const links = [
    ['/', 'Home'],
    ['/guestbook.php', 'Guest book'],
    ['/upload.php', 'Upload'],
    ['/download.php', 'Download'],
    ['/api.php', 'JSON'],
  ].map(([path = '', text = '']) => `  <a href="${html(url(req, path))}">${text}</a>\n`)
  res.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' }).end(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${html(title)}</title>
<link rel="stylesheet" href="${html(url(req, '/style.css'))}">
<nav>
${links.join('')}</nav>
<h1>${html(title)}</h1>
${main}
`)
}

/**
 * @param {Request} req
 * @param {ServerResponse} res
 */
export function notFound(req, res) {
  const main = '<p>The application knows no such page.</p>'
  sendPage(req, res, { status: 404, title: 'Not found', main })
}
