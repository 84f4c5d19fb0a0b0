/** Sessions and SQLite, used by several instances at once: nothing is lost. */
import t from 'tap'
import { startScriptRunner } from '../helpers/php-wasm.ts'

const TIMES = 30

for (const [name, source] of [
  [
    'a session',
    `<?php session_save_path(__DIR__); session_id('the-only-session'); session_start();
    $n = ($_SESSION['n'] ?? 0) + 1; usleep(1000); $_SESSION['n'] = $n; echo $n;`,
  ],
  [
    'SQLite',
    `<?php $db = new PDO('sqlite:' . __DIR__ . '/db'); $db->setAttribute(PDO::ATTR_TIMEOUT, 60);
    $db->exec('begin immediate; create table if not exists t (n)');
    $n = $db->query('select count(*) from t')->fetchColumn() + 1; usleep(1000);
    $db->exec("insert into t values ($n); commit"); echo $n;`,
  ],
] as const)
  t.test(name, async (t) => {
    const { ask, script } = await startScriptRunner(t, { children: 3 })
    const page = script(source)
    const answers = await Promise.all(Array.from({ length: TIMES }, () => ask(page)))
    const texts = answers.map(({ text }) => text)
    const expected = Array.from({ length: TIMES }, (_, n) => String(n + 1))
    t.same(texts.sort(), expected.sort())
  })
