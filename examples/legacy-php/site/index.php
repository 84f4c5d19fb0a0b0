<?php
// The front controller: handles every path that is neither a script nor a file, according to REQUEST_URI.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

$articles = require __DIR__ . '/../lib/articles.php';
$path = rawurldecode(explode('?', $_SERVER['REQUEST_URI'], 2)[0]);

if (preg_match('~/articles/([^/]+)$~D', $path, $match)) {
    $article = $articles[$match[1]] ?? page_not_found();
    page_start($article['title']);
    echo '<p>', e($article['text']), '</p>';
    exit;
}

if (!in_array($path, [url(''), url('/'), url('/index.php')], true)) {
    page_not_found();
}

page_start('A legacy site');
?>
<ul>
<?php foreach ($articles as $slug => $article): ?>
  <li><a href="<?= e(url("/articles/$slug")) ?>"><?= e($article['title']) ?></a>
    (<a href="<?= e(url("/article.php/{$article['year']}/$slug")) ?>">the same by PATH_INFO</a>)
<?php endforeach ?>
</ul>
