<?php
// A download that is generated while it is being sent: /download.php?rows=100000
declare(strict_types=1);

$rows = filter_input(INPUT_GET, 'rows', FILTER_VALIDATE_INT, [
    'options' => ['default' => 1000, 'min_range' => 1, 'max_range' => 1_000_000],
]) ?? 1000;

header('Content-Type: text/csv; charset=utf-8');
header('Content-Disposition: attachment; filename="squares.csv"');

echo "number,square\n";
for ($number = 1; $number <= $rows; $number++) {
    echo $number, ',', $number ** 2, "\n";
}
