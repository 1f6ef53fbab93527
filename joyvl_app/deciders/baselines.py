"""Deciders without eyes, against which every score is compared: always silent, and speaking every second."""

from __future__ import annotations

from collections.abc import Callable

from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.domain import Decision, Moment, Respond, Silence


class _Blind(PlainWatcher):
    """A watcher whose decision depends on nothing but a rule."""

    def __init__(self, rule: Callable[[Moment], Decision]) -> None:
        super().__init__()
        self._rule = rule

    async def decide(self, moment: Moment) -> Decision:
        return self._rule(moment)


class Baseline:
    """A named rule as a decider."""

    def __init__(self, name: str, rule: Callable[[Moment], Decision]) -> None:
        self.name = name
        self._rule = rule

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    def open(self, session_id: str) -> _Blind:
        return _Blind(self._rule)


def silent() -> Baseline:
    """Never speaks."""
    return Baseline("silent", lambda moment: Silence(0.0))


def chatty() -> Baseline:
    """Speaks every second, as a talkative live assistant would."""
    return Baseline("chatty", lambda moment: Respond(f"I am still watching at {moment.t:.0f} seconds.", 1.0))
