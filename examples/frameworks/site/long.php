<?php header("Content-Type: text/plain; charset=utf-8"); echo str_repeat("PHP ", 2000);
