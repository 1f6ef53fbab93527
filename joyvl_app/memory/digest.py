"""The summariser that needs no model: a faithful digest of the evidence. It leaves out, it never adds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from joyvl_app.domain import Delegate, Respond, Segment, Silence
from joyvl_app.memory.chronicle import Chronicle, Entry
from joyvl_app.memory.tokens import cut, estimate
from joyvl_app.ports import Clock, Provider

_ORDER = ("heard", "said", "screen", "seen")  # what matters more stands first, and stays when there is little room
_LABELS = {"screen": "on screen", "seen": "seen", "heard": "heard", "said": "said"}
_LONGEST = 240  # characters of one stretch
_SIGHTINGS = 12
NOTHING = "(nothing of note)"


class DigestSummarizer(Provider):
    """Works off the event loop: a noisy screen has much to compare."""

    sees = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def summarize(self, segment: Segment) -> str:
        return await self._clock.timed(asyncio.to_thread(digest, segment)) or NOTHING


def digest(segment: Segment) -> str:
    """Who and what was there from when to when, texts read, counts, what was heard and said; "" when there was nothing."""
    if segment.summaries:
        return _compressed(segment)
    lines = [_line(entry) for entry in _latest(_entries(segment))]
    return _fitted(lines, segment.most_tokens)


def _entries(segment: Segment) -> Iterator[Entry]:
    chronicle = Chronicle(segment.language == "zh")
    for heard in segment.heard:
        yield from chronicle.note("heard", heard.t_start, heard.t_end, heard.text)
    for t, decision in segment.decisions:
        yield from chronicle.look(t, decision.evidence.boxes, decision.evidence.texts)
        said = "" if isinstance(decision, Silence) else decision.text if isinstance(decision, Respond) else decision.note
        yield from chronicle.note("said", t, t, said)
        if isinstance(decision, Delegate):
            yield from chronicle.note("said", t, t, f"(asked the background brain: {decision.question})")
    yield from chronicle.close()


def _latest(entries: Iterable[Entry]) -> list[Entry]:
    """Each stretch once, as it was in the end; the longest sightings only."""
    last = {entry.number: entry for entry in entries}
    seen = sorted((e for e in last.values() if e.kind == "seen"), key=lambda e: e.t_start - e.t_end)[:_SIGHTINGS]
    kept = [entry for entry in last.values() if entry.kind != "seen"] + seen
    return sorted(kept, key=lambda entry: (_ORDER.index(entry.kind), entry.t_start))


def _line(entry: Entry) -> str:
    text = entry.text if len(entry.text) <= _LONGEST else f"{entry.text[: _LONGEST - 1]}…"
    span = f"{entry.t_start:.0f}" if entry.t_end - entry.t_start < 1 else f"{entry.t_start:.0f}–{entry.t_end:.0f}"
    return f"{span} s {_LABELS[entry.kind]}: {text}"


def _fitted(lines: list[str], most: int) -> str:
    """As many lines as fit, in their order; how many are left out is said."""
    kept: list[str] = []
    room = most - 8
    for line in lines:
        if (cost := estimate(line) + 1) > room:
            break
        kept.append(line)
        room -= cost
    left = len(lines) - len(kept)
    if left and not kept:
        return cut(lines[0], most)
    return "\n".join([*kept, *([f"({left} more)"] if left else [])])


def _compressed(segment: Segment) -> str:
    """Each summary gives its first lines, an equal share of the room each."""
    share = segment.most_tokens // len(segment.summaries)
    return "\n".join(part for summary in segment.summaries if (part := _fitted(summary.text.splitlines(), share)))
