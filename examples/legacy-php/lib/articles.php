<?php
// The contents of the site; other sites keep them in a database.
return [
    'hello' => ['year' => 2026, 'title' => 'Hello', 'text' => 'This page is as old as PHP & runs beside Node.'],
    'move-slowly' => ['year' => 2024, 'title' => 'Move slowly', 'text' => 'One route after the other: < 1 a week is fine.'],
];
