"""What a session is doing right now: always one state, told when it changes."""

from __future__ import annotations

from collections.abc import Callable

from joyvl_app.events import Event, State, StateName
from joyvl_app.ports import Clock

_NONE: tuple[StateName, str] = ("stopped", "")


class Status:
    """The state and its detail; `tell` is a notice beside it."""

    def __init__(self, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._clock, self._emit = clock, emit
        self._state = self._shown = _NONE
        self._floor: StateName | None = None

    @property
    def name(self) -> StateName:
        return self._state[0]

    def enter(self, name: StateName, detail: str = "") -> None:
        self._state = (name, detail)
        self._tell()

    def floor(self, name: StateName | None) -> None:
        """Who has the floor while it watches: speaking, listening, thinking, or nobody."""
        self._floor = name
        self._tell()

    def _tell(self) -> None:
        """One state at a time: whose turn it is says more than that it watches."""
        shown = (self._floor, "") if self._floor and self.name == "watching" else self._state
        if shown != self._shown:
            self._shown = shown
            self._emit(State(t=self._clock.now(), name=shown[0], detail=shown[1]))

    def tell(self, text: str) -> None:
        self._emit(State(t=self._clock.now(), name="notice", detail=text))

    def see(self, pictures: bool, newest_t: float | None, since: float, blind_after: float) -> None:
        """Blind after so many seconds without a picture (counted from `since` at the earliest), watching with the next one."""
        if not pictures and self.name not in ("blind", "error"):
            if self._clock.now() - max(newest_t or 0.0, since) >= blind_after:
                self.enter("blind", "no picture yet" if newest_t is None else f"no picture since {newest_t:.0f} s")
        elif pictures and self.name == "blind":
            self.enter("watching")
