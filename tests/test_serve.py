"""The book, served: its pages with their types, on this machine alone, until Ctrl-C."""

import re
import signal
import subprocess
import sys
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from minigan.errors import RunError
from minigan.lab import serve
from minigan.lab.cli import main

TYPES = {"index.html": "text/html", "a.mjs": "text/javascript", "b.js": "text/javascript"}
TYPES |= {"c.wasm": "application/wasm", "d.css": "text/css"}


@pytest.fixture
def book(tmp_path):
    folder = tmp_path / "book"
    folder.mkdir()
    for name in TYPES:
        (folder / name).write_text(name)
    (tmp_path / "secret.txt").write_text("not of the book")
    return folder


@pytest.fixture
def address(book):
    with serve.server(book) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield "http://{}:{}/".format(*serving.server_address)
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize("name", TYPES)
def test_files_come_with_the_types_that_a_browser_asks_for(address, name, capfd):
    with urlopen(address + name) as answer:
        assert answer.read() == name.encode()
        assert answer.headers["Content-Type"] == TYPES[name]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["nothing.html", "../secret.txt", "%2e%2e/secret.txt"])
def test_nothing_but_the_book_is_served(address, path):
    with pytest.raises(HTTPError, match="404") as raised:
        urlopen(address + path)
    raised.value.close()


def test_it_serves_this_machine_alone(book):
    with serve.server(book) as serving:
        assert serving.server_address[0] == "127.0.0.1"


def test_a_folder_without_a_book_and_a_port_that_is_taken_are_refused(book, tmp_path, capsys):
    with pytest.raises(RunError, match="book: .* holds no index.html; .*build.py"):
        serve.server(tmp_path)
    with serve.server(book) as serving, pytest.raises(RunError, match="--port: .* be used"):
        serve.server(book, serving.server_port)
    with pytest.raises(RunError, match="--port: 70000 cannot be used"):
        serve.server(book, 70_000)
    assert main(["book", str(tmp_path), "--no-open"]) == 2
    assert capsys.readouterr().err.startswith("minigan: book: ")


def test_the_command_prints_the_address_and_ends_with_ctrl_c(book):
    command = [sys.executable, "-m", "minigan", "book", str(book), "--no-open"]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        line = process.stdout.readline()
        with urlopen(re.search(r"http://\S+/", line)[0]) as answer:
            assert answer.read() == b"index.html"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stdout.read() == ""
        assert process.stderr.read().strip() == "minigan: interrupted"


def test_the_browser_is_opened_where_the_book_is(book, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(serve.webbrowser, "open", opened.append)
    monkeypatch.setattr(serve.ThreadingHTTPServer, "serve_forever", lambda self: None)
    assert main(["book", str(book)]) == 0
    assert opened == re.findall(r"http://\S+/", capsys.readouterr().out)
