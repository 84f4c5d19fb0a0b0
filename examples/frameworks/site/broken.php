<?php
// The process ends in the middle of its response.
header('Content-Type: text/plain; charset=utf-8');
echo str_repeat('x', 100000);
flush();
posix_kill(getmypid(), 9);
