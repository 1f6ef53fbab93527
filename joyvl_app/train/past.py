"""What the app would remember in front of a chunk: its own memory, with digests for summaries, as where no model writes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from joyvl_app.clock import ManualClock
from joyvl_app.domain import Decision, Moment, Respond, Segment, Silence, Summary
from joyvl_app.memory.digest import NOTHING, DigestSummarizer, digest
from joyvl_app.memory.tiers import Tiers
from joyvl_app.memory.tokens import cut

MOST_SECONDS, _PAIRS = 100, 40  # seconds of one chunk, questions and answers kept, as in the reference deployment
_CHUNKS = 3  # that are imagined, at most
_OFTEN = 0.03  # of whose seconds something was said in


class Past(Tiers):
    """Memory that is written at once; `context()` is the prefix of the present chunk."""

    def __init__(self) -> None:
        clock = ManualClock(charge=False)
        super().__init__(clock, DigestSummarizer(clock), MOST_SECONDS, _PAIRS)

    def _order(self, segment: Segment, tier: deque[Summary], most: int) -> None:
        self._put(Summary(segment.t_start, segment.t_end, cut(digest(segment) or NOTHING, most)), tier)


def imagined(instruction: str, answers: Sequence[str], start: float, rng: np.random.Generator) -> str:
    """The prefix of a chunk at second `start`, a multiple of MOST_SECONDS: the instruction was in force before, and answered."""
    past = Past()
    begin = max(0, int(start) - MOST_SECONDS * int(rng.integers(1, _CHUNKS + 1)))
    asked = begin + int(rng.integers(0, 20))
    for t in range(begin, int(start)):
        spoken = bool(answers) and t > asked and rng.random() < _OFTEN
        decision: Decision = Respond(str(rng.choice(list(answers)))) if spoken else Silence()
        past.observe(Moment(float(t), (), instruction if t >= asked else "", float(asked)), decision)
    return past.context()
