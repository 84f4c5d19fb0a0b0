<?php
// A session, a form (POST, urlencoded) and a redirect after it.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

session_set_cookie_params(['path' => url('/'), 'httponly' => true, 'samesite' => 'Lax']);
session_start(['use_strict_mode' => true]);

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $name = $_POST['name'] ?? '';
    $message = $_POST['message'] ?? '';
    if (is_string($name) && is_string($message) && trim($message) !== '') {
        $entry = ['name' => substr($name, 0, 100), 'message' => substr($message, 0, 1000)];
        $_SESSION['entries'] = array_slice([$entry, ...$_SESSION['entries'] ?? []], 0, 20);
    }
    header('Location: ' . url('/guestbook.php'), true, 303);
    exit;
}

$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
page_start('Guest book');
?>
<p>Visits in this session: <?= e($_SESSION['visits']) ?></p>
<form method="post">
  <label>Name <input name="name" maxlength="100"></label>
  <label>Message <textarea name="message" maxlength="1000" required></textarea></label>
  <button>Sign</button>
</form>
<?php foreach ($_SESSION['entries'] ?? [] as $entry): ?>
<blockquote>
  <p><?= nl2br(e($entry['message'])) ?></p>
  <footer><?= e($entry['name'] === '' ? 'Anonymous' : $entry['name']) ?></footer>
</blockquote>
<?php endforeach ?>
