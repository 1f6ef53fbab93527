"""The page's words: one catalogue for every language, read by Python for the layout and by the page to switch."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "assets" / "page"


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Key → language → text."""
    loaded: dict[str, dict[str, str]] = json.loads((PAGE / "text.json").read_text(encoding="utf-8"))
    return loaded


def text(key: str, language: str = "en") -> str:
    return catalogue()[key][language]
