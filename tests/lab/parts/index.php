<?php
// Answers "ok". /report waits for the file's number of seconds, /login sets a cookie of the file's number of bytes.
$path = $_SERVER['REQUEST_URI'];
if (str_starts_with($path, '/report')) {
    sleep((int) file_get_contents('/srv/intranet/wait'));
}
if (str_starts_with($path, '/login')) {
    header('Set-Cookie: session=' . str_repeat('x', (int) file_get_contents('/srv/intranet/cookie')));
}
echo "ok\n";
