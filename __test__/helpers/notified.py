# A service manager's socket: prints each message that comes, on a line of its own.
import socket
import sys

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print("ready", flush=True)
while True:
    print(manager.recv(65536).decode().replace("\n", ";"), flush=True)
