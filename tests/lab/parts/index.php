<?php
// Answers "ok". /report leaves a file that tells so and waits for a number of seconds, /login sets a cookie of the file's number of bytes.
$path = $_SERVER['REQUEST_URI'];
if (str_starts_with($path, '/report')) {
    touch('/tmp/report');
    // A signal ends a sleep early; work goes on.
    $end = microtime(true) + (int) file_get_contents('/srv/intranet/wait');
    while (microtime(true) < $end) {
        usleep(100000);
    }
}
if (str_starts_with($path, '/login')) {
    header('Set-Cookie: session=' . str_repeat('x', (int) file_get_contents('/srv/intranet/cookie')));
}
echo "ok\n";
