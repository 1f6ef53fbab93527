"""The working window: it alone decides where a chunk ends, and keeps the bounded question-and-answer history."""

from __future__ import annotations

from collections import deque

from joyvl_app import dialect
from joyvl_app.domain import Decision, Delegate, Moment, Respond, Turn


class Window:
    """Chunks of `chunk_seconds`; the history keeps the last `qa_pairs` questions with their answers, text only."""

    def __init__(self, chunk_seconds: int = 100, qa_pairs: int = 40) -> None:
        self._seconds = chunk_seconds
        self._began: float | None = None
        self._turns: deque[Turn] = deque(maxlen=2 * qa_pairs)
        self._instruction = ""
        self._prefix = ""
        self.chunk_id = 0

    def observe(self, moment: Moment, decision: Decision) -> None:
        """Take in one decided second; closes the chunk when its time is over."""
        self._note_turns(moment, decision)
        if self._began is None:
            self._began = moment.t
        elif moment.t - self._began + 1 >= self._seconds:
            self._begin_chunk(moment.t + 1)

    def context(self) -> str:
        """The text prefix of the present chunk: fixed from its first second to its last, so that caches stay valid."""
        return self._prefix

    def _begin_chunk(self, t: float) -> None:
        self.chunk_id += 1
        self._began = t
        self._prefix = dialect.history((), (), self._turns)

    def _note_turns(self, moment: Moment, decision: Decision) -> None:
        if moment.instruction and moment.instruction != self._instruction:
            self._turns.append(Turn("query", moment.t, moment.instruction))
        self._instruction = moment.instruction
        self._turns.extend(Turn("query", heard.t_end, heard.text) for heard in moment.heard if heard.role == "user")
        if isinstance(decision, Respond):
            self._turns.append(Turn("response", moment.t, decision.text))
        elif isinstance(decision, Delegate) and decision.note:
            self._turns.append(Turn("response", moment.t, decision.note))
