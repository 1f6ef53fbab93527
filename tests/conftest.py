"""The browser's tests need a Chromium; where there is none they are left out, aloud. In CI they are never left out."""

from __future__ import annotations

import os

from joyvl_app.bench.served import CHROMIUM
from tests.databases import url
from tests.rating import house

__all__ = ["house", "url"]  # fixtures of all tests

collect_ignore = (
    []
    if CHROMIUM or os.environ.get("CI")
    else ["test_browser.py", "test_switching.py", "test_remembering.py", "test_rating_page.py"]
)


def pytest_report_header() -> str:
    return "" if not collect_ignore else "browser tests are LEFT OUT: no Chromium was found (apt-get install chromium)"
