<?php
header('Content-Type: text/html; charset=utf-8');
echo "<p>Hello from PHP at {$_SERVER['SCRIPT_NAME']}";
