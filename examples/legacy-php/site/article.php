<?php
// Pretty URLs without a front controller: /article.php/2026/hello has the PATH_INFO /2026/hello.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

$articles = require __DIR__ . '/../lib/articles.php';
if (!preg_match('~^/(\d{4})/([^/]+)$~D', $_SERVER['PATH_INFO'] ?? '', $match)) {
    page_not_found();
}
[, $year, $slug] = $match;
$article = $articles[$slug] ?? page_not_found();
if ($article['year'] !== (int) $year) {
    page_not_found();
}

page_start($article['title']);
?>
<p><?= e($article['text']) ?></p>
<p><small><?= e($year) ?></small></p>
