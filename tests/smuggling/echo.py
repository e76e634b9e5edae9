# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application of Python sees of a request, a line each: as WSGI (gunicorn, waitress), and, as a program, over SCGI
(behind lighttpd).

echo.py waitress PORT LOG | echo.py scgi PORT LOG | ECHO_LOG=LOG gunicorn echo:application
"""
import json
import os
import socketserver
import sys

LOG = os.open(os.environ.get("ECHO_LOG") or sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def note(environ):
    """Paths: as it came, where the server says it, and as the application sees it."""
    os.write(LOG, (json.dumps({
        "port": int(environ.get("REMOTE_PORT") or 0), "method": environ["REQUEST_METHOD"],
        "target": environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"],
        "url_path": environ.get("PATH_INFO") or environ.get("SCRIPT_NAME"), "host": environ.get("HTTP_HOST", ""),
    }) + "\n").encode())


def application(environ, start_response):
    note(environ)
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "4")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"done"]


class Gateway(socketserver.StreamRequestHandler):
    """SCGI: a netstring of names and values, each ended by NUL."""

    def handle(self):
        length = b""
        while (byte := self.rfile.read(1)) != b":":
            if not byte:
                return
            length += byte
        words = self.rfile.read(int(length)).decode("latin-1").split("\0")[:-1]
        environ = dict(zip(words[::2], words[1::2]))
        self.rfile.read(1 + int(environ["CONTENT_LENGTH"]))
        note(environ)
        self.wfile.write(b"Status: 200 OK\r\nContent-Length: 4\r\n\r\ndone")


class GatewayServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 4096


if __name__ == "__main__":
    if sys.argv[1] == "waitress":
        import waitress
        waitress.serve(application, listen=f"*:{sys.argv[2]}", threads=8, connection_limit=2000, channel_timeout=30,
                       backlog=4096)
    else:
        GatewayServer(("127.0.0.1", int(sys.argv[2])), Gateway).serve_forever()
