// The home page of the example app.
/** @param {{ path: string, text: string }[]} links */
export function homePage(links) {
  const items = links.map(({ path, text }) => `<li><a href="${path}">${text}</a>\n`)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Node and PHP</title>
<h1>Node and PHP on one port</h1>
<ul>
${items.join('')}</ul>
`
}
