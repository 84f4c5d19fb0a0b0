<?php
// Called by a route in Node with reply.fastcgi(), so it is outside of the path at which the site is mounted.
header('Content-Type: text/plain; charset=utf-8');
?>
Report of <?= date('Y-m-d H:i:s') ?>

PHP <?= PHP_VERSION ?> (<?= PHP_SAPI ?>), process <?= getmypid() ?>, <?= round(memory_get_peak_usage() / 1024) ?> KiB
Asked for by <?= $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['REQUEST_URI'] ?>

