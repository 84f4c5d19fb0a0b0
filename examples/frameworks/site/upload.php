<?php
header('Content-Type: text/plain; charset=utf-8');
['name' => $name, 'size' => $size, 'tmp_name' => $file] = $_FILES['file'];
echo "$name: $size bytes, SHA-1 ", sha1_file($file), "\n";
