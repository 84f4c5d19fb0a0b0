/** What scripts are told, and what becomes of what they do. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startScriptRunner } from '../helpers/php-wasm.ts'
import { until } from '../helpers/wait.ts'

const JSON_OF = (expression: string): string => `<?php echo json_encode(${expression});`
const POST = { REQUEST_METHOD: 'POST', CONTENT_TYPE: 'application/x-www-form-urlencoded' }

t.test('$_SERVER and getenv()', async (t) => {
  const { run, directory } = await startScriptRunner(t, { env: { OF_THE_PROCESS: 'yes' } })
  const params = {
    DOCUMENT_ROOT: directory,
    QUERY_STRING: 'a=1&b[]=2',
    HTTP_AUTHORIZATION: `Basic ${Buffer.from('ada:secret').toString('base64')}`,
    HTTP_COOKIE: 'c=3',
    EMPTY: '',
    'ODD NAME': 'kept as PHP has it',
    LONG: 'x'.repeat(60_000),
  }
  const { text } = await run(
    JSON_OF(
      '[$_SERVER, getenv("QUERY_STRING"), getenv("OF_THE_PROCESS"), $_GET, $_COOKIE, __DIR__, getcwd()]',
    ),
    { params },
  )
  const [server, query, ofProcess, get, cookie, dir, cwd] = JSON.parse(text)
  t.match(server, {
    DOCUMENT_ROOT: directory,
    SCRIPT_NAME: '/1.php',
    PHP_SELF: '/1.php',
    PHP_AUTH_USER: 'ada',
    PHP_AUTH_PW: 'secret',
    EMPTY: '',
    ODD_NAME: 'kept as PHP has it',
    LONG: params.LONG,
    OF_THE_PROCESS: 'yes',
  })
  t.notOk('HTTPS' in server, 'nothing that was not sent')
  t.same(
    [query, ofProcess, get, cookie],
    [params.QUERY_STRING, 'yes', { a: '1', b: ['2'] }, { c: '3' }],
  )
  t.same([dir, cwd], [directory, directory])
})

t.test('php.ini: -d, PHP_VALUE, and back', async (t) => {
  const ini = { memory_limit: '64M', 'date.timezone': 'Europe/Rome' }
  const { ask, script } = await startScriptRunner(t, { ini })
  const page = script(
    '<?php echo ini_get("memory_limit"), " ", ini_get("upload_max_filesize"), " ", date("T");',
  )
  t.match((await ask(page)).text, /^64M 2M CES?T$/)
  const params = {
    PHP_VALUE: 'memory_limit=99M\nupload_max_filesize=7M',
    PHP_ADMIN_VALUE: 'date.timezone=UTC',
  }
  t.equal((await ask(page, { params })).text, '99M 7M UTC')
  t.match((await ask(page)).text, /^64M 2M CES?T$/, 'requests without it have none of it')
})

t.test('bodies: a form, more than post_max_size, and more than is taken', async (t) => {
  const { ask, script } = await startScriptRunner(t, { ini: { post_max_size: '1K' } })
  const page = script(JSON_OF('[$_POST, strlen(file_get_contents("php://input"))]'))
  const post = (length: number) => ({
    params: { ...POST, CONTENT_LENGTH: String(length) },
    body: `a=${'x'.repeat(length - 2)}`,
  })
  t.same(JSON.parse((await ask(page, post(5))).text), [{ a: 'xxx' }, 5])
  t.match((await ask(page, post(5000))).text, /exceeds the limit of 1024 bytes[\s\S]*\[\[\],/)
  const much = { params: { ...POST, CONTENT_LENGTH: '300000000' }, body: 'x' }
  t.equal((await ask(page, much)).status, 413)
  t.same(JSON.parse((await ask(page, post(5))).text), [{ a: 'xxx' }, 5])
})

t.test('files: uploads, sessions and what scripts write are on this disk', async (t) => {
  const { run, directory } = await startScriptRunner(t)
  const body = [
    '--b\r\nContent-Disposition: form-data; name="doc"; filename="a.txt"\r\n\r\ncontent\r\n--b--\r\n',
  ].join('')
  const { text } = await run(
    `<?php session_save_path(__DIR__); session_start(); $_SESSION['a'] = 1;
    $there = file_exists($_FILES['doc']['tmp_name']);
    move_uploaded_file($_FILES['doc']['tmp_name'], __DIR__ . '/moved');
    file_put_contents(__DIR__ . '/new', 'x'); rename(__DIR__ . '/new', __DIR__ . '/moved-too');
    symlink('moved', __DIR__ . '/link');
    echo json_encode([$there, file_get_contents(__DIR__ . '/link'), realpath(__DIR__ . '/link'), session_id()]);`,
    {
      params: {
        REQUEST_METHOD: 'POST',
        CONTENT_TYPE: 'multipart/form-data; boundary=b',
        CONTENT_LENGTH: String(body.length),
      },
      body,
    },
  )
  const [there, content, real, session] = JSON.parse(text)
  t.same([there, content, real], [true, 'content', join(directory, 'moved')])
  const files = ['1.php', 'link', 'moved', 'moved-too', `sess_${session}`]
  t.same(readdirSync(directory).sort(), files.sort())
})

t.test('the error log', async (t) => {
  const { run } = await startScriptRunner(t)
  const source =
    '<?php error_log("one"); fwrite(fopen("php://stderr", "w"), "two, unfinished"); echo "x";'
  const { text, stderr } = await run(source)
  t.same([text, stderr], ['x', 'one\ntwo, unfinished'])
})

t.test('ends of scripts', async (t) => {
  const { run, script, ask } = await startScriptRunner(t, { ini: { display_errors: 0 } })
  const kept = script('<?php static $n = 0; echo getmypid();')
  const pid = (await ask(kept)).text
  for (const [name, source, status, text] of [
    ['exit', '<?php echo "a"; exit(3);', 200, 'a'],
    ['an exception', '<?php throw new Exception("x");', 500, ''],
    ['a syntax error', '<?php this is none', 500, ''],
    ['too much memory', '<?php ini_set("memory_limit", "8M"); str_repeat("x", 9000000);', 500, ''],
    // The C stack overflows; php-cgi dies of it.
    [
      'a crash',
      '<?php ini_set("memory_limit", "1G"); for ($a = [], $n = 0; $n < 1500000; $n++) $a = [$a]; unset($a);',
      500,
      'Internal Server Error\n',
    ],
    ['no status', '<?php http_response_code(99); echo "x";', 500, 'Internal Server Error\n'],
    ['a missing script', '', 404, 'No input file specified.\n'],
  ] as const) {
    const answer = name.startsWith('a missing')
      ? await ask({ ...kept, SCRIPT_FILENAME: '/no/such.php' })
      : await run(source)
    t.same([answer.status, answer.text], [status, text], name)
    t.equal((await ask(kept)).text, pid, `after ${name}`)
  }
})

t.test('an instance is renewed after so many requests', async (t) => {
  const { ask, script } = await startScriptRunner(t, { env: { PHP_FCGI_MAX_REQUESTS: '3' } })
  // What is in PHP's own file system ends with the instance.
  const page = script(
    '<?php $n = (int) @file_get_contents("/internal/n") + 1; file_put_contents("/internal/n", $n); echo $n;',
  )
  const counts = []
  for (let n = 0; n < 7; n++) counts.push((await ask(page)).text)
  t.same(counts, ['1', '2', '3', '1', '2', '3', '1'])
})

for (const ignore of [0, 1])
  t.test(`a client that goes; ignore_user_abort is ${ignore}`, async (t) => {
    const { ask, run, script, directory } = await startScriptRunner(t)
    const there = (name: string): boolean => existsSync(join(directory, name))
    const page = script(`<?php ignore_user_abort((bool) ${ignore});
      register_shutdown_function(fn () => touch(__DIR__ . '/shutdown-' . connection_status()));
      touch(__DIR__ . '/begun');
      for ($end = time() + 20; !connection_aborted() && time() < $end; usleep(1000)) {
        echo str_repeat('x', 5000);
        flush();
      }
      touch(__DIR__ . '/end');`)
    const controller = new AbortController()
    const answer = ask(page, { signal: controller.signal })
    await until('the script', () => there('begun'))
    controller.abort()
    await t.rejects(answer, { code: 'FCGI_ABORTED' })
    await until('its end', () => there('shutdown-1'))
    t.equal((await run('<?php echo "next";')).text, 'next')
    t.equal(there('end'), ignore === 1)
  })
