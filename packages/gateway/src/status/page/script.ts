// The script of the page. The page is complete without it; with it, the page is kept up to date in place.

/**
 * Fetches the page again and changes what differs, so that what is typed, opened or focused stays. Elements that may be absent
 * or may change their place have `data-key`, which is unique among their siblings; all others are matched by their place.
 * Sorting and filtering fetch the page in the same way, and so do forms, whose message appears in `#told`.
 *
 * It is text, not a function, for bundlers change functions. Without backslashes, for this is a template literal.
 */
export const SCRIPT = `
'use strict'
const told = document.getElementById('told')
let timer, typing, reading
let turn = 0
let lost = false

function say(text, failed) {
  told.className = failed ? 'bad' : ''
  told.textContent = text
}

// Fetches a page, by GET or with the fields of a form by POST, and shows it. Only the last call shows something.
async function load(url, fields) {
  const own = ++turn
  clearTimeout(timer)
  if (reading) reading.abort()
  // A form is sent even if the next one follows at once.
  reading = fields ? undefined : new AbortController()
  const late = reading && setTimeout((reading) => reading.abort(), 30000, reading)
  let done = false
  try {
    const method = fields ? 'POST' : 'GET'
    const signal = reading && reading.signal
    const response = await fetch(url, { method, signal, body: fields, headers: { accept: 'text/html' } })
    const text = await response.text()
    if (own === turn) done = show(response, new DOMParser().parseFromString(text, 'text/html'), fields)
  } catch (error) {
    if (own === turn) lose('the server does not answer')
  }
  clearTimeout(late)
  if (own === turn) plan()
  return done
}

function show(response, next, fields) {
  const alert = next.querySelector('[role=alert]')
  if (!next.getElementById('told')) lose('the server answers with status ' + response.status)
  else if (fields && !response.ok) say(alert ? alert.textContent : 'Status ' + response.status, true)
  else {
    if (lost) say('')
    lost = false
    if (response.redirected) history.replaceState(null, '', response.url)
    take(next)
    return true
  }
  return false
}

function lose(reason) {
  lost = true
  const time = document.querySelector('header time')
  say('These figures are of ' + time.textContent + ': ' + reason + '. Load the page again.', true)
}

function take(next) {
  for (const name of ['script', 'style'])
    if (next.querySelector(name).textContent !== document.querySelector(name).textContent) {
      // Of another version of this program.
      location.reload()
      return
    }
  document.title = next.title
  document.body.dataset.refresh = next.body.dataset.refresh
  for (const name of ['header', 'main']) change(document.querySelector(name), next.querySelector(name))
}

function change(now, next) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.data !== next.data) now.data = next.data
    return
  }
  for (const { name, value } of next.attributes)
    if (now.getAttribute(name) !== value) now.setAttribute(name, value)
  for (const { name } of [...now.attributes])
    if (!next.hasAttribute(name) && name !== 'open') now.removeAttribute(name)
  const keyed = new Map()
  for (const child of now.children) if (child.dataset.key) keyed.set(child.dataset.key, child)
  let at = now.firstChild
  for (const wanted of [...next.childNodes]) {
    const found = match(at, wanted, keyed)
    if (found) {
      if (found !== at) move(now, found, at)
      change(found, wanted)
      at = found.nextSibling
    } else now.insertBefore(wanted, at)
  }
  while (at) {
    const old = at
    at = at.nextSibling
    old.remove()
  }
}

function match(at, wanted, keyed) {
  const key = wanted.dataset && wanted.dataset.key
  if (key) return keyed.get(key)
  return at && !(at.dataset && at.dataset.key) && at.nodeName === wanted.nodeName && at
}

// Puts a child before another one. What is focused stays where it is, for else it would lose the focus.
function move(parent, child, before) {
  if (!child.contains(document.activeElement)) {
    parent.insertBefore(child, before)
    return
  }
  while (before !== child) {
    const skipped = before
    before = before.nextSibling
    parent.append(skipped)
  }
}

function plan() {
  clearTimeout(timer)
  const seconds = Number(document.body.dataset.refresh)
  if (seconds > 0 && !document.hidden) timer = setTimeout(load, seconds * 1000, location.href)
}

function fieldsOf(form, button) {
  const fields = new URLSearchParams(new FormData(form))
  if (button && button.name) fields.set(button.name, button.value)
  return fields
}

function narrow(form) {
  clearTimeout(typing)
  const url = location.pathname + '?' + fieldsOf(form)
  history.replaceState(null, '', url)
  load(url)
}

async function send(form, button) {
  // The button may have another name afterwards.
  const name = button.getAttribute('aria-label') || button.textContent
  if (await load(location.href, fieldsOf(form, button))) {
    form.reset()
    say(name + ': done.')
  }
}

addEventListener('submit', (event) => {
  event.preventDefault()
  const form = event.target
  if (form.method === 'get') narrow(form)
  else send(form, event.submitter)
})
addEventListener('input', ({ target }) => {
  if (target.name !== 'filter') return
  clearTimeout(typing)
  typing = setTimeout(narrow, 200, target.form)
})
addEventListener('click', (event) => {
  const link = event.target.closest('a[data-live]')
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  history.pushState(null, '', link.href)
  load(link.href)
})
addEventListener('popstate', () => load(location.href))
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !Number(document.body.dataset.refresh)) plan()
  else load(location.href)
})
plan()
`
