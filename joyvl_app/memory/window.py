"""The working window: it alone decides where a chunk ends, and keeps the bounded question-and-answer history."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from joyvl_app import dialect
from joyvl_app.domain import Decision, Delegate, Moment, Respond, Summary, Turn
from joyvl_app.memory.tokens import cut, estimate

_QA_SHARE = 0.4  # of the prefix's tokens, at most, for questions and answers
_LINE = 18  # tokens that a line's label and times take


class Window:
    """Chunks of `chunk_seconds`; the history keeps the last `qa_pairs` questions with their answers, text only.

    The prefix of a chunk never takes more than `most_tokens`: of summaries and turns the oldest go first.
    """

    def __init__(self, chunk_seconds: int = 100, qa_pairs: int = 40, most_tokens: int = 6_000) -> None:
        self._seconds, self._most = chunk_seconds, most_tokens
        self._began: float | None = None
        self._turns: deque[Turn] = deque(maxlen=2 * qa_pairs)
        self._instruction = ""
        self._prefix = ""
        self.chunk_id = 0

    @property
    def began(self) -> float | None:
        """The second at which the present chunk began."""
        return self._began

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

    def past(self, t: float) -> tuple[Sequence[Summary], Sequence[Summary]]:
        """Long-term blocks and mid-term summaries of all before second `t`; a bare window has none."""
        return (), ()

    def _begin_chunk(self, t: float) -> None:
        self.chunk_id += 1
        self._began = t
        long_term, mid_term = self.past(t)
        turns = _newest_turns(self._turns, int(self._most * _QA_SHARE))
        room = self._most - sum(map(_turn_cost, turns)) - 4 * _LINE  # the sections' labels
        newest_mid = _newest(mid_term, room)
        newest_long = _newest(long_term, room - sum(map(_cost, newest_mid)))
        self._prefix = dialect.history(newest_long, newest_mid, turns)
        while estimate(self._prefix) > self._most and (newest_long or newest_mid or turns):  # the labels cost what they cost
            (newest_long or newest_mid or turns).pop(0)
            self._prefix = dialect.history(newest_long, newest_mid, turns)

    def _note_turns(self, moment: Moment, decision: Decision) -> None:
        if moment.instruction and moment.instruction != self._instruction:
            self._turns.append(Turn("query", moment.t, moment.instruction))
        self._instruction = moment.instruction
        self._turns.extend(Turn("query", heard.t_end, heard.text) for heard in moment.heard if heard.role == "user")
        if isinstance(decision, Respond):
            self._turns.append(Turn("response", moment.t, decision.text))
        elif isinstance(decision, Delegate) and decision.note:
            self._turns.append(Turn("response", moment.t, decision.note))


def _newest(summaries: Sequence[Summary], room: int) -> list[Summary]:
    """The last of them that fit, in their order."""
    kept: list[Summary] = []
    for summary in reversed(summaries):
        room -= _cost(summary)
        if room < 0:
            break
        kept.insert(0, summary)
    return kept


def _newest_turns(turns: Sequence[Turn], room: int) -> list[Turn]:
    kept: list[Turn] = []
    for turn in reversed(turns):
        shown = Turn(turn.kind, turn.t, cut(turn.text, room // 4))
        room -= _turn_cost(shown)
        if room < 0:
            break
        kept.insert(0, shown)
    return kept


def _cost(summary: Summary) -> int:
    return estimate(summary.text) + _LINE


def _turn_cost(turn: Turn) -> int:
    return estimate(turn.text) + _LINE
