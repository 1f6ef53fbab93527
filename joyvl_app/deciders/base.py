"""What every watcher has in common: nothing to say of an instruction, nothing to hush, nothing to close."""

from __future__ import annotations

import asyncio

from joyvl_app.domain import Moment
from joyvl_app.ports import Host


class Nobody:
    """A host for a watcher without a session: a moment stays as it is, and nobody listens."""

    def renew(self, moment: Moment) -> Moment:
        return moment

    def draft(self, text: str) -> None:
        return None

    def tell(self, text: str) -> None:
        return None

    def wrote(self, raw: str, parsed: bool) -> None:
        return None


class PlainWatcher:
    """The quiet half of a watcher; what a provider adds is `decide`."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.host: Host = Nobody()

    def understood(self, instruction: str, language: str) -> str:
        return ""

    def hush(self) -> None:
        return None

    def reset(self) -> None:
        return None

    async def aclose(self) -> None:
        return None
