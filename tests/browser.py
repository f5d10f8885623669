"""The book in a browser: the built site, Chromium, and what is looked at on every page."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def require(found, what):
    """Skips where something is missing; on CI, which installs everything, fails."""
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what} is missing")


def require_modules(*names):
    for name in names:
        require(importlib.util.find_spec(name), f"{name} (pip install 'minigan[docs]')")


def run_build(*args):
    require(shutil.which("node") and shutil.which("npm"), "node or npm")
    require_modules("pygments", "markdown_it", "mdit_py_plugins")
    command = [sys.executable, ROOT / "docs" / "build.py", *args]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book") / "site"
    start = time.perf_counter()
    run = run_build(folder, "--no-playground")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not run.stderr, f"mentions of what no page defines:\n{run.stderr}"
    assert time.perf_counter() - start < 60
    return folder


@pytest.fixture(scope="module")
def chromium():
    require_modules("playwright")
    path = shutil.which("chromium")
    require(path, "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


LOOK = """() => {
  const wide = [...document.querySelectorAll("main *")].filter((e) => {
    for (let p = e.parentElement; p; p = p.parentElement)
      if (getComputedStyle(p).overflowX !== "visible") return false;
    return e.getBoundingClientRect().right > innerWidth + 1;
  });
  const boxes = [...document.querySelectorAll("main .katex-html .base, main pre")];
  const clipped = boxes.filter((e) => {
    let p = e;  // whatever does not fit must have a box that scrolls
    while (p && !/auto|scroll/.test(getComputedStyle(p).overflowX)) p = p.parentElement;
    return !p && e.getBoundingClientRect().right > innerWidth + 1;
  });
  const name = (e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 60)}`;
  return {
    scrollWidth: document.scrollingElement.scrollWidth,
    innerWidth,
    wide: wide.slice(0, 5).map(name),
    clipped: clipped.map(name),
    errors: document.querySelectorAll(".katex-error").length,
    formulas: document.querySelectorAll("main .katex").length,
    expected: Number(document.querySelector("main").dataset.formulas),
    links: [...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href")),
  };
}"""


GEOMETRY = Path(__file__).with_name("geometry.js").read_text("utf-8")


@functools.cache
def identifiers(site, file):
    """Every id of a page; the empty string stands for the page itself."""
    path = site / file
    return (
        {"", *re.findall(r'\bid="([^"]+)"', path.read_text("utf-8"))} if path.exists() else ()
    )
