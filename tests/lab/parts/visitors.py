"""Opens COUNT connections to nginx, begins a request on each, says so in /run/visitors and keeps them for ten minutes."""

import socket
import sys
import time

visitors = []
for _number in range(int(sys.argv[1])):
    visitors.append(socket.create_connection(("127.0.0.1", 80), timeout=10))
    visitors[-1].sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Slow: ")
time.sleep(0.5)
with open("/run/visitors", "w", encoding="ascii") as file:
    file.write(sys.argv[1])
time.sleep(600)
