<?php
// A file upload (POST, multipart). The file is not stored.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

function describe_upload(mixed $file): string
{
    $error = $file['error'] ?? UPLOAD_ERR_NO_FILE;
    if ($error === UPLOAD_ERR_INI_SIZE) {
        return 'The file is larger than upload_max_filesize: ' . ini_get('upload_max_filesize');
    }
    // `error` is an array if the field holds several files.
    if ($error !== UPLOAD_ERR_OK) {
        return 'No file arrived.';
    }
    $size = filesize($file['tmp_name']);
    return "{$file['name']}: $size bytes, SHA-1 " . sha1_file($file['tmp_name']);
}

$answer = null;
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $answer = describe_upload($_FILES['file'] ?? null);
    http_response_code(($_FILES['file']['error'] ?? null) === UPLOAD_ERR_OK ? 200 : 400);
}

page_start('Upload');
?>
<?php if ($answer !== null): ?>
<p><output><?= e($answer) ?></output></p>
<?php endif ?>
<form method="post" enctype="multipart/form-data">
  <label>File <input type="file" name="file" required></label>
  <button>Send</button>
</form>
