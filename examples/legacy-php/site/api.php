<?php
// A JSON endpoint: GET describes the request, POST sends back what it read from php://input.
declare(strict_types=1);

function answer(array $data, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($data, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    exit;
}

switch ($_SERVER['REQUEST_METHOD']) {
    case 'GET':
    case 'HEAD':
        answer(['php' => PHP_VERSION, 'uri' => $_SERVER['REQUEST_URI'], 'query' => (object) $_GET]);
    case 'POST':
        $body = file_get_contents('php://input');
        try {
            $received = json_decode($body, flags: JSON_THROW_ON_ERROR);
        } catch (JsonException $error) {
            answer(['error' => 'No JSON: ' . $error->getMessage()], 400);
        }
        answer(['received' => $received, 'bytes' => strlen($body)], 201);
    default:
        header('Allow: GET, HEAD, POST');
        answer(['error' => 'Only GET, HEAD and POST'], 405);
}
