/** `fastcgi serve` under systemd: its socket, and what it is told. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { findProgram, freePort } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { ENV, MAIN } from '../helpers/serve-command.ts'
import { PHP_FPM, textOf } from '../helpers/serve-site.ts'
import { until, within } from '../helpers/wait.ts'

/** Opens a port as file descriptor 3, as systemd does, and becomes the command. */
const ACTIVATE = `
use IO::Socket::INET; use POSIX;
my ($port, @command) = @ARGV;
my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 128, ReuseAddr => 1) or die;
POSIX::dup2(fileno($socket), 3) if fileno($socket) != 3;
$^F = 10; fcntl($socket, 2, 0);
@ENV{qw(LISTEN_FDS LISTEN_PID)} = (1, $$);
exec @command;`

/** Prints what is sent to a datagram socket. */
const LISTEN = `
use Socket; $| = 1;
socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die;
bind($socket, sockaddr_un($ARGV[0])) or die;
print "listening\\n";
while (defined(recv($socket, my $message, 65536, 0))) { print "$message\\n" }`

const PERL = findProgram('perl')
const NOTIFY = findProgram('systemd-notify')
const skip = PHP_FPM.skip || needs('perl', PERL).skip || needs('systemd', NOTIFY).skip

function output(child: ChildProcess): () => string {
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part) => {
    text += part
  })
  return () => text
}

t.test('LISTEN_FDS and NOTIFY_SOCKET', { skip }, async (t) => {
  const cwd = t.testdir({ 'index.php': `<?php echo 'ok ', getenv('LISTEN_FDS') ?: 'none';` })
  const socket = join(cwd, 'notify')
  const notified = spawn(PERL ?? '', ['-e', LISTEN, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => notified.kill('SIGKILL'))
  const told = output(notified)
  await until('the socket', () => told().includes('listening'))
  const port = await freePort()
  const command = ['-e', ACTIVATE, String(port), process.execPath, MAIN, 'serve', '--workers', '2']
  const child = spawn(PERL ?? '', command, {
    cwd,
    env: { ...ENV, NOTIFY_SOCKET: socket },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const printed = output(child)
  const exited = once(child, 'close')
  await until('READY=1', () => told().includes('READY=1'))
  t.match(printed(), `fastcgi: http://127.0.0.1:${port}/ serves ${cwd}`)
  t.match(told(), `MAINPID=${child.pid}`)
  t.equal(await textOf(`http://127.0.0.1:${port}/`), 'ok none')
  child.kill('SIGTERM')
  t.same(await within('the exit', exited), [0, null])
  await until('STOPPING=1', () => told().includes('STOPPING=1'))
})
