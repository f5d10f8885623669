r"""The book, served to a browser on this machine.

The playground needs it, since a browser starts a worker in no page that was opened as a file.
`minigan book` does what `python -m http.server` does in the book's folder. It serves this
machine alone, on a free port, and states the types of the files itself: a system that calls a
script plain text would keep it from running.
"""

import functools
import os
import webbrowser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..errors import RunError

HERE = "127.0.0.1"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
TYPES |= {".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm"}
TYPES |= {".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2"}


class Handler(SimpleHTTPRequestHandler):
    r"""Sends the files of one folder, and keeps no log."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def log_message(self, *about):
        r"""Nothing: whoever reads the book waits for no log."""


def server(folder, port=0):
    r"""A server of the built book in `folder`; 0 is a free port. Raises RunError."""
    if not (Path(folder) / "index.html").is_file():
        raise RunError(
            f"book: {os.fspath(folder)} holds no index.html; `python docs/build.py` builds the "
            "book into docs/_build"
        )
    handler = functools.partial(Handler, directory=os.path.realpath(folder))
    try:
        return ThreadingHTTPServer((HERE, port), handler)
    except (OSError, OverflowError) as error:
        raise RunError(f"--port: {port} cannot be used: {error}") from None


def serve(folder, port, open_browser):
    r"""Serve the book and print its address, until Ctrl-C. Raises RunError."""
    with server(folder, port) as serving:
        address = f"http://{HERE}:{serving.server_port}/"
        print(f"the book is at {address}, until Ctrl-C", flush=True)
        if open_browser:
            webbrowser.open(address)
        serving.serve_forever()
