"""A decider that follows a script on the session's own clock: the first step at or before the moment that is not yet taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.domain import Decision, Moment, Silence
from joyvl_app.ports import Clock


@dataclass(frozen=True)
class Step:
    """From second `t` on, decide this once; the decision takes `seconds`, and `fails` raises instead."""

    t: float
    decision: Decision | None = None
    seconds: float = 0.0
    fails: Exception | None = None


class ScriptedDecider:
    name = "scripted"

    def __init__(self, clock: Clock, steps: Sequence[Step] = ()) -> None:
        self._clock, self._steps = clock, tuple(sorted(steps, key=lambda step: step.t))

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    def open(self, session_id: str) -> ScriptedWatcher:
        return ScriptedWatcher(self._clock, self._steps)


class ScriptedWatcher(PlainWatcher):
    """Keeps every moment it was shown in `moments`."""

    def __init__(self, clock: Clock, steps: Sequence[Step]) -> None:
        super().__init__()
        self._clock, self._steps = clock, list(steps)
        self._all = tuple(steps)
        self.moments: list[Moment] = []

    async def decide(self, moment: Moment) -> Decision:
        self.moments.append(moment)
        if not self._steps or self._steps[0].t > moment.t:
            return Silence(0.0)
        step = self._steps.pop(0)
        if step.seconds:
            await self._clock.sleep_until(self._clock.now() + step.seconds)
        if step.fails:
            raise step.fails
        return step.decision or Silence(0.0)

    def reset(self) -> None:
        self._steps = list(self._all)
