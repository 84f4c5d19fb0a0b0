/** Requests that both servers of a pair get, in lists. What is between `{}` is replaced by where things lie. */

/** One request. Its label is method and path, and what is special about it. */
export interface Ask {
  method: string
  path: string
  headers: Record<string, string>
  body: string | Buffer | undefined
  /** Whether the body goes out in chunks, without its length. */
  chunked: boolean
  /** Whether it is sent twice; compared is whether both answers have the same body. */
  twice: boolean
  label: string
}

type More = Partial<Omit<Ask, 'path' | 'label'>> & { as?: string }

function ask(path: string, more: More = {}): Ask {
  const { method = 'GET', headers = {}, body, chunked = false, twice = false, as } = more
  const label = as === undefined ? `${method} ${path}` : `${method} ${path} ${as}`
  return { method, path, headers, body, chunked, twice, label }
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const JSON_TYPE = { 'content-type': 'application/json' }
const BOUNDARY = 'the-boundary'
const MULTIPART = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
const UPLOAD = Buffer.concat([
  Buffer.from(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nn\r\n--${BOUNDARY}\r\n` +
      'Content-Disposition: form-data; name="file"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n',
  ),
  Buffer.alloc(300_000, 'abcdefghij'),
  Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
])
/** After the files of the site were changed, and before. */
const LATER = 'Fri, 01 Jan 2021 00:00:00 GMT'
const EARLIER = 'Thu, 01 Jan 1998 00:00:00 GMT'

/** A PHP script and what clients may send to it. */
const SCRIPTS: readonly Ask[] = [
  ask('/inspect.php'),
  ask('/inspect.php?a=b&c=%20d%2F&e[]=1'),
  ask('/inspect.php', { headers: { cookie: 'x=1; y=2', 'x-custom': 'a, b' }, as: 'with cookies' }),
  ask('/inspect.php', { headers: { authorization: 'Bearer token' }, as: 'with Authorization' }),
  ask('/inspect.php', { headers: { proxy: 'evil.example' }, as: 'with Proxy' }),
  ask('/inspect.php', { method: 'HEAD' }),
  ask('/inspect.php', { method: 'POST', headers: FORM, body: 'a=1&b=%C3%A9' }),
  ask('/inspect.php', { method: 'POST', headers: JSON_TYPE, body: '{"é":[1,2]}', as: 'of JSON' }),
  ask('/inspect.php', { method: 'POST', headers: MULTIPART, body: UPLOAD, as: 'with a file' }),
  ask('/inspect.php', { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: 'text' }),
  ask('/inspect.php', { method: 'DELETE' }),
  ask('/%69nspect.php?x'),
  ask('/./dir/../inspect.php'),
  ask('//inspect.php'),
  ask('/redirect.php?to=/inspect.php'),
  ask('/redirect.php?to=http://other.example/x&code=301'),
  ask('/status.php?code=404'),
  ask('/status.php?code=418'),
  ask('/status.php?code=503'),
  ask('/fields.php'),
  ask('/etag.php'),
  ask('/etag.php', { headers: { 'if-none-match': '"of-the-script"' }, as: 'with If-None-Match' }),
  ask('/large.php'),
  ask('/none.php'),
]

/** PATH_INFO. */
const PATH_INFO: readonly Ask[] = [
  ask('/inspect.php/extra/path?x=1'),
  ask('/inspect.php/caf%C3%A9%20x'),
  ask('/inspect.php/', { as: 'with a slash' }),
  ask('/none.php/extra'),
  ask('/uploads/photo.jpg/x.php'),
]

/** Files and directories beside the scripts. */
const FILES: readonly Ask[] = [
  ask('/style.css'),
  ask('/style.css', { method: 'HEAD' }),
  ask('/style.css', { headers: { range: 'bytes=0-3' }, as: 'with Range' }),
  ask('/style.css', { headers: { range: 'bytes=1000-' }, as: 'with Range beyond the end' }),
  ask('/style.css', { headers: { 'if-modified-since': LATER }, as: 'with If-Modified-Since' }),
  ask('/style.css', {
    headers: { 'if-unmodified-since': EARLIER },
    as: 'with If-Unmodified-Since',
  }),
  ask('/style.css', { method: 'POST', headers: FORM, body: 'a=1' }),
  ask('/about.html'),
  ask('/a%20b.txt'),
  ask('/assets/logo.svg'),
  ask('/uploads/photo.jpg'),
  ask('/none.txt'),
  ask('/dir'),
  ask('/dir?x=1'),
  ask('/dir/'),
  ask('/assets'),
  ask('/assets/'),
  ask('/.env'),
  ask('/.git/config'),
  ask('/%2eenv'),
]

/** Paths that nothing lies at: the front controller's, where there is one. */
const PAGES: readonly Ask[] = [
  ask('/'),
  ask('/?page=2'),
  ask('/blog/2026/hello/?x=1'),
  ask('/caf%C3%A9'),
  ask('/blog/hello', { method: 'POST', headers: FORM, body: 'a=1' }),
]

/** The application that is not PHP, mounted at a path. */
function application(at: string): Ask[] {
  return [
    ask(`${at}/`),
    ask(`${at}/some/path?a=b&c=%20d%2F`),
    ask(`${at}/some/path`, {
      headers: { cookie: 'x=1; y=2', 'x-custom': 'a, b' },
      as: 'with cookies',
    }),
    ask(`${at}/some/path`, {
      headers: { authorization: 'Bearer token' },
      as: 'with Authorization',
    }),
    ask(`${at}/some/path`, { headers: { proxy: 'evil.example' }, as: 'with Proxy' }),
    ask(`${at}/some/path`, { method: 'HEAD' }),
    ask(`${at}/some/path`, { method: 'POST', headers: FORM, body: 'a=1&b=%C3%A9' }),
    ask(`${at}/some/path`, { method: 'POST', headers: MULTIPART, body: UPLOAD, as: 'with a file' }),
    ask(`${at}/some/path`, {
      method: 'PUT',
      headers: { 'content-type': 'text/plain' },
      body: 'text',
    }),
    ask(`${at}/thing/7`, { method: 'DELETE' }),
    ask(`${at}/thing/7`, { method: 'OPTIONS' }),
    ask(`${at}/caf%C3%A9%20x`),
    ask(`${at}/a%2Fb`),
    ask(`${at}/./x/../thing`),
    ask(`${at}//thing`),
    ask(`${at}/redirect`),
    ask(`${at}/moved`),
    ask(`${at}/teapot`),
    ask(`${at}/missing`),
    ask(`${at}/busy`),
    ask(`${at}/nothing`),
    ask(`${at}/fields`),
    ask(`${at}/fresh`),
    ask(`${at}/fresh`, {
      headers: { 'if-none-match': '"of-the-application"' },
      as: 'with If-None-Match',
    }),
    ask(`${at}/large`),
    ask(`${at}/large`, { headers: { range: 'bytes=0-3' }, as: 'with Range' }),
  ]
}

/** What an authorizer is asked about, with the word in the query that says what it decides. */
const GUARDED: readonly Ask[] = [
  ask('/private/page'),
  ask('/private/page?variables'),
  ask('/private/page?denied'),
  ask('/private/page?denied', { method: 'HEAD' }),
  ask('/private/page?denied', { method: 'POST', headers: FORM, body: 'a=1' }),
  ask('/private/page?challenge'),
  ask('/private/page?redirect'),
  ask('/private/page?no-content'),
  ask('/private/page', { method: 'POST', headers: FORM, body: 'a=1' }),
  ask('/x/../private/page?denied'),
  ask('/%70rivate/page?denied'),
  ask('//private/page?denied'),
  ask('/public?denied'),
]

const WITH_PASSWORD = { authorization: `Basic ${btoa('ada:open sesame')}` }
const WITH_WRONG_PASSWORD = { authorization: `Basic ${btoa('ada:guessed')}` }

/** An authenticator: with the word `password` in the query, it lets in who has the right one. */
const BASIC: readonly Ask[] = [
  ask('/private/page'),
  ask('/private/page?password'),
  ask('/private/page?password', { headers: WITH_PASSWORD, as: 'with the password' }),
  ask('/private/page?password', { headers: WITH_WRONG_PASSWORD, as: 'with a wrong password' }),
  ask('/private/page?password', { headers: { authorization: 'Basic !' }, as: 'with nonsense' }),
  ask('/private/page?denied', { headers: WITH_PASSWORD, as: 'with the password' }),
  ask('/private/page?redirect', { headers: WITH_PASSWORD, as: 'with the password' }),
  ask('/private/page?variables', { headers: WITH_PASSWORD, as: 'with the password' }),
  ask('/private/page', { headers: WITH_PASSWORD, as: 'with the password' }),
  ask('/private/page', { method: 'HEAD', headers: WITH_PASSWORD, as: 'with the password' }),
  ask('/private/page', {
    method: 'POST',
    headers: { ...FORM, ...WITH_PASSWORD },
    body: 'a=1',
    as: 'with the password',
  }),
  ask('/x/../private/page'),
  ask('/%70rivate/page'),
]

const SENDFILE = (field: string, script = '/download.php'): Ask[] => [
  ask(`${script}?with=${field}&file={files}/report.txt`),
  ask(`${script}?with=${field}&file={files}/report.txt`, {
    headers: { range: 'bytes=4-9' },
    as: 'with Range',
  }),
  ask(`${script}?with=${field}&file={files}/report.txt`, { method: 'HEAD' }),
  ask(`${script}?with=${field}&file={files}/none.txt`),
]

/** By the names that the documents use. */
export const REQUESTS: Readonly<Record<string, readonly Ask[]>> = {
  php: [...SCRIPTS, ...PATH_INFO, ...FILES, ...PAGES],
  scripts: [...SCRIPTS, ...PATH_INFO],
  chunks: [
    ask('/inspect.php', {
      method: 'POST',
      headers: FORM,
      body: 'a=1&b=2',
      chunked: true,
      as: 'in chunks',
    }),
  ],
  'application-chunks': [
    ask('/some/path', {
      method: 'POST',
      headers: FORM,
      body: 'a=1',
      chunked: true,
      as: 'in chunks',
    }),
  ],
  files: FILES,
  pages: PAGES,
  front: [
    ask('/inspect.php'),
    ask('/inspect.php/extra'),
    ask('/index.php/extra?x=1'),
    ask('/none.php'),
    ask('/articles', { method: 'POST', headers: JSON_TYPE, body: '{"é":[1,2]}', as: 'of JSON' }),
    ask('/articles', { method: 'POST', headers: MULTIPART, body: UPLOAD, as: 'with a file' }),
    ask('/articles/7', { method: 'DELETE' }),
    ask('/articles', { method: 'HEAD' }),
    ask('//articles'),
  ],
  application: application(''),
  myapp: application('/myapp'),
  behind: [
    ask('/hello/you'),
    ask('/hello/you?a=b&c=%20d%2F'),
    ask('/hello/caf%C3%A9%20x'),
    ask('/hello/you', { headers: { cookie: 'x=1', 'x-custom': 'a' }, as: 'with cookies' }),
    ask('/hello/you', { method: 'HEAD' }),
    ask('/take', { method: 'POST', headers: FORM, body: 'a=1&b=%C3%A9' }),
    ask('/take', { method: 'POST', headers: JSON_TYPE, body: '{"é":[1,2]}', as: 'of JSON' }),
    ask('/take', { method: 'POST', headers: FORM, body: 'a=1', chunked: true, as: 'in chunks' }),
    ask('/take', { method: 'POST', body: '', as: 'with an empty body' }),
    ask('/old'),
    ask('/none'),
    ask('/none.txt'),
    ask('/hello'),
    ask('/hello/you', { method: 'DELETE' }),
    ask('/hello/you', { method: 'OPTIONS' }),
  ],
  'behind-files': [
    ask('/style.css'),
    ask('/style.css', { method: 'HEAD' }),
    ask('/style.css', { headers: { range: 'bytes=0-3' }, as: 'with Range' }),
    ask('/about.html'),
    ask('/about', { as: 'for about.html' }),
    ask('/a%20b.txt'),
    ask('/assets/logo.svg'),
  ],
  remote: application('/remote_scripts'),
  guarded: GUARDED,
  tree: [
    ask('/remote_scripts/report.txt'),
    ask('/remote_scripts/report.txt', { method: 'HEAD' }),
    ask('/remote_scripts/report.txt', { headers: { range: 'bytes=4-9' }, as: 'with Range' }),
    ask('/remote_scripts/report.txt', {
      headers: { 'if-modified-since': LATER },
      as: 'with If-Modified-Since',
    }),
    ...['denied', 'challenge', 'redirect', 'no-content', 'variables'].map((word) =>
      ask(`/remote_scripts/report.txt?${word}`),
    ),
    ask('/remote_scripts/report.txt?denied', { method: 'POST', headers: FORM, body: 'a=1' }),
    ask('/remote_scripts/none.txt'),
    ask('/x/../remote_scripts/report.txt?denied'),
    ask('/%72emote_scripts/report.txt?denied'),
    ask('//remote_scripts/report.txt?denied'),
  ],
  login: [
    ask('/login'),
    ask('/login?a=b'),
    ask('/login/some/path?a=b&c=%20d%2F'),
    ask('/login', { method: 'POST', headers: FORM, body: 'name=ada' }),
    ask('/login/redirect'),
    ask('/login/teapot'),
    ask('/login/missing'),
    ask('/login/fields'),
  ],
  basic: BASIC,
  'x-sendfile': SENDFILE('X-Sendfile'),
  'x-sendfile-application': SENDFILE('X-Sendfile', '/download'),
  'x-accel': [
    ...['report.txt', 'none.txt', '../site/style.css'].map((file) =>
      ask(`/download.php?with=X-Accel-Redirect&file=/protected/${file}`),
    ),
    ask('/download.php?with=X-Accel-Redirect&file=/protected/report.txt', {
      headers: { range: 'bytes=4-9' },
      as: 'with Range',
    }),
    ask('/download.php?with=X-Accel-Redirect&file=/protected/report.txt', { method: 'HEAD' }),
    ask('/protected/report.txt'),
  ],
  cache: [
    ask('/clock.php?cache=max-age=60', { twice: true, as: 'twice' }),
    ask('/clock.php?cache=no-store', { twice: true, as: 'twice' }),
    ask('/clock.php?cache=private', { twice: true, as: 'twice' }),
    ask('/clock.php?cache=max-age=60', {
      headers: { cookie: 'session=1' },
      twice: true,
      as: 'twice with a session',
    }),
    ask('/clock.php?cache=max-age=60', {
      method: 'POST',
      body: 'a=1',
      headers: FORM,
      twice: true,
      as: 'twice',
    }),
  ],
}
