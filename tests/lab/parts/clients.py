"""Opens COUNT connections to ADDRESS PORT, or as many as it can, says so in /run/clients and keeps them for ten minutes."""

import socket
import sys
import time

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clients = []
try:
    while len(clients) < count:
        clients.append(socket.create_connection((address, port), timeout=10))
except OSError as error:
    print(error)
with open("/run/clients", "w", encoding="ascii") as file:
    file.write(str(len(clients)))
time.sleep(600)
