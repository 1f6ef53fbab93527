"""The browser's tests need a Chromium; where there is none they are left out, aloud. In CI they are never left out."""

from __future__ import annotations

import os

import pytest

from joyvl_app.bench.served import CHROMIUM
from tests.databases import url
from tests.rating import house

__all__ = ["house", "url"]  # fixtures of all tests

collect_ignore = (
    []
    if CHROMIUM or os.environ.get("CI")
    else ["test_browser.py", "test_switching.py", "test_remembering.py", "test_rating_page.py"]
)

# What drives a browser or holds real seconds against a limit has the machine to itself; all else runs two at a time.
_ALONE = {
    "test_api", "test_ballot_box", "test_browser", "test_clock", "test_grammar", "test_metrics", "test_openai_chat", "test_pools",
    "test_rating_page", "test_remembering", "test_session", "test_store_faults", "test_switching", "test_talking",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in _ALONE:
            item.add_marker(pytest.mark.alone)


def pytest_report_header() -> str:
    return "" if not collect_ignore else "browser tests are LEFT OUT: no Chromium was found (apt-get install chromium)"
