<?php
// The HTML that all pages share. This file is outside of the site's root, so no URL maps to it.
declare(strict_types=1);

/** Escapes text for HTML. */
function e(string|int $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** Absolute path of a page, below the path at which the site is mounted: '/guestbook.php' becomes '/legacy/guestbook.php'. */
function url(string $path): string
{
    return rtrim(dirname($_SERVER['SCRIPT_NAME']), '/\\') . $path;
}

function page_start(string $title): void
{
    ?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title><?= e($title) ?></title>
<link rel="stylesheet" href="<?= e(url('/style.css')) ?>">
<nav>
  <a href="<?= e(url('/')) ?>">Home</a>
  <a href="<?= e(url('/guestbook.php')) ?>">Guest book</a>
  <a href="<?= e(url('/upload.php')) ?>">Upload</a>
  <a href="<?= e(url('/download.php')) ?>">Download</a>
  <a href="<?= e(url('/api.php')) ?>">JSON</a>
</nav>
<h1><?= e($title) ?></h1>
    <?php
}

function page_not_found(): never
{
    http_response_code(404);
    page_start('Not found');
    echo '<p>PHP knows no such page.</p>';
    exit;
}
