<?php
// A FastCGI authorizer: the guard of /private/.
header('Content-Type: text/plain');
if (($_SERVER['HTTP_X_KEY'] ?? '') === 'sesame') {
    header('Variable-USER_NAME: alice');
} else {
    http_response_code(403);
    echo "No key, no entry.\n";
}
