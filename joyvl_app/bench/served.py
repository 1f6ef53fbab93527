"""The app as a user meets it: started as a process, a session streamed to it, its page opened in Chromium where there is one."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from joyvl_app.errors import MissingPart

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
CHROMIUM_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
).split()
_WATCHED_SECONDS = 20.0
_START_SECONDS = 60.0


@contextmanager
def served(*command: str, folder: Path | None = None, **settings: str) -> Iterator[tuple[str, int]]:
    """`python app.py` (or another command) on a free port with these settings: its address and process id. Its data lie in
    `folder`, or are gone at the end.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory() as scratch:
        variables = {f"JOYVL_{name.upper()}": value for name, value in settings.items()}
        environment = {**os.environ, "JOYVL_PORT": str(port), "JOYVL_DATA_DIR": str(folder or scratch), **variables}
        process = subprocess.Popen([sys.executable, *(command or ("app.py",))], cwd=ROOT, env=environment)
        try:
            _wait_until_it_listens(port, process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(10)


async def measure_served(clip: Path) -> dict[str, float]:
    """First event, event delay, HTTP answers while deciding, and resident memory, with one page watching `clip`."""
    playwright_here()
    began = time.perf_counter()
    with served(decider="embedded") as (address, pid):
        started = time.perf_counter() - began
        await asyncio.sleep(4)  # the networks load behind the first page view
        figures = await asyncio.to_thread(_watch_in_browser, address, pid)
    return {"start_s": started, **figures}


def playwright_here() -> Any:
    """Playwright's entry. Raises MissingPart naming what to install."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingPart("The page is measured with playwright: pip install -r requirements-dev.txt") from error
    if not CHROMIUM:
        raise MissingPart("The page is measured in Chromium: apt-get install chromium")
    return sync_playwright


def _watch_in_browser(address: str, pid: int) -> dict[str, float]:
    sync_playwright = playwright_here()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
        page.evaluate(_RECORD)
        page.click("#start-security")
        page.wait_for_function("() => window.firstEvent", timeout=30_000)
        answers = _answer_times(address)
        delays: list[float] = page.evaluate("() => window.delays")
        first: float = page.evaluate("() => window.firstEvent")
        mode: str = page.evaluate("() => joyvl.stages.get('security').root.dataset.mode")
        rss = psutil.Process(pid).memory_info().rss / 1e6
        browser.close()
    print(f"page: {mode}, {len(delays)} decisions, {len(answers)} HTTP answers")
    return {
        "first_event_s": first,
        "frame_to_page_p95_ms": float(np.percentile(delays, 95)) * 1000,
        "http_p95_ms": float(np.percentile(answers, 95)) * 1000,
        "rss_mb": rss,
    }


# Beyond the decision: what passes between the moment's clock reading and its drawing in the page, less the decision itself.
_RECORD = """() => {
  window.delays = [];
  const stage = joyvl.stages.get('security');
  const start = performance.now();
  const decision = stage.decision.bind(stage);
  document.querySelector('#start-security').addEventListener('click', () => { window.clicked = performance.now(); }, true);
  stage.decision = (event) => {
    decision(event);
    window.firstEvent ??= (performance.now() - (window.clicked ?? start)) / 1000;
    const age = event.age_ms - 2 * event.decision_ms; // of the frame at the moment, less the decision itself
    requestAnimationFrame(() => window.delays.push(Date.now() / 1000 - stage.epoch - event.t + age / 1000));
  };
}"""


def _answer_times(address: str) -> list[float]:
    """How long the server takes to answer a small request, again and again while a session decides."""
    times, end = [], time.monotonic() + _WATCHED_SECONDS
    with httpx.Client(base_url=address) as client:
        while time.monotonic() < end:
            began = time.perf_counter()
            client.get("/joyvl/static/icon.svg").raise_for_status()
            times.append(time.perf_counter() - began)
            time.sleep(0.05)
    return times


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: Any = probe.getsockname()[1]
        return int(port)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the app did not start listening")
