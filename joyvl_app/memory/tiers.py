"""Memory over hours (PROTOCOL: working window, mid-term summaries, long-term blocks, questions and answers).

A chunk's summary is written ahead of the chunk's end, off the hot path. What lies between the cut and the chunk's end stands in
the prefix as a digest until the next summary covers it. A summary that fails or comes too late leaves a marked gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from joyvl_app.domain import Decision, Frame, Moment, Segment, Summary, Transcript
from joyvl_app.errors import words_of
from joyvl_app.memory.digest import DigestSummarizer, digest
from joyvl_app.memory.tokens import cut
from joyvl_app.memory.window import Window
from joyvl_app.ports import Clock, Summarizer
from joyvl_app.ticks import within

_EVERY = 5  # mid-term summaries that become one long-term block
_GAP = "(not summarised)"
_PICTURES = 12  # shown to a summariser at most
_CHARS_A_TOKEN = 8  # what a summariser gives beyond that is not even looked at


@dataclass(frozen=True)
class Bounds:
    """How much is remembered: tokens of one summary, of one block, and of the whole prefix; blocks; seconds a summary may take
    and is begun ahead of its chunk's end.
    """

    summary_tokens: int = 160
    block_tokens: int = 240
    prefix_tokens: int = 6_000
    blocks: int = 24
    seconds: float = 18.0
    ahead: int = 20


class Tiers(Window):
    """A window with a past. `fault` takes a sentence when a summary failed; `pictures` gives a stretch's key frames."""

    def __init__(self, clock: Clock, summarizer: Summarizer, chunk_seconds: int, qa_pairs: int, bounds: Bounds | None = None):
        self._bounds = bounds or Bounds()
        super().__init__(chunk_seconds, qa_pairs, self._bounds.prefix_tokens)
        self._clock, self._summarizer = clock, summarizer
        self._own: Summarizer | None = None  # the deciding model's
        self._ahead = min(self._bounds.ahead, chunk_seconds // 5)
        self._mid: deque[Summary] = deque()
        self._long: deque[Summary] = deque(maxlen=self._bounds.blocks)
        self._since: float | None = None  # from here on nothing is summarised yet
        self._cut = 0
        self._decisions: deque[tuple[float, Decision]] = deque(maxlen=4 * chunk_seconds)
        self._heard: deque[Transcript] = deque(maxlen=2 * qa_pairs)
        self._tasks: set[asyncio.Task[None]] = set()
        self.language = "en"
        self.fault: Callable[[str], None] = lambda text: None
        self.written: Callable[[Summary], None] = lambda summary: None  # takes each mid-term summary when it is there
        self.pictures: Callable[[float, float, int], Awaitable[tuple[Frame, ...]]] = _no_pictures

    def summarize_with(self, own: Summarizer | None) -> None:
        """From the next summary on: the model that decides, or (None) what the settings name."""
        self._own = own

    def observe(self, moment: Moment, decision: Decision) -> None:
        self._since = moment.t if self._since is None else self._since
        self.language = moment.language
        self._decisions.append((moment.t, decision))
        self._heard.extend(moment.heard)
        if self.began is not None and self._cut <= self.chunk_id and moment.t - self.began + 1 >= self._seconds - self._ahead:
            self._cut = self.chunk_id + 1
            self._summarise_until(moment.t + 1)
        super().observe(moment, decision)

    def past(self, t: float) -> tuple[Sequence[Summary], Sequence[Summary]]:
        tail = self._segment(self._since or 0.0, t)
        text = digest(tail)
        return tuple(self._long), (*self._mid, *([Summary(tail.t_start, t, text)] if text else []))

    async def aclose(self) -> None:
        """Give up summaries that are still being written."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _summarise_until(self, t: float) -> None:
        segment = self._segment(self._since or 0.0, t)
        self._since = t
        while self._decisions and self._decisions[0][0] < t:
            self._decisions.popleft()
        self._heard.clear()
        self._compress()
        self._mid.append(Summary(segment.t_start, t, _GAP))  # until there is one
        self._order(segment, self._mid, self._bounds.summary_tokens)

    def _segment(self, since: float, until: float) -> Segment:
        return Segment(
            since, until, self._bounds.summary_tokens, tuple(self._decisions), tuple(self._heard), language=self.language
        )

    def _order(self, segment: Segment, tier: deque[Summary], most: int) -> None:
        """Have it written, behind the watch."""
        self._behind(self._write(segment, tier, most))

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, segment: Segment, tier: deque[Summary], most: int) -> None:
        """Put the summary where its gap is, late or not. Without one a stretch stays a gap, and a block stays its digest."""
        try:
            text = cut(await self._asked(segment, most * _CHARS_A_TOKEN), most)
        except TimeoutError:
            fault = "A summary was not written in time"
        except Exception as error:  # a plug-in's fault must not end the watch
            fault = f"A stretch could not be summarised ({words_of(error).strip('().')})"
        else:
            return self._put(Summary(segment.t_start, segment.t_end, text), tier)
        if tier is self._mid:
            self.fault(f"{fault}; it is missing from what is remembered in front of the picture.")

    async def _asked(self, segment: Segment, most: int) -> str:
        """Raises TimeoutError, ValueError, or whatever the summariser raises."""
        summarizer = self._own or self._summarizer
        if not isinstance(summarizer, DigestSummarizer) and not segment.summaries:
            segment = replace(segment, notes=await self._clock.timed(asyncio.to_thread(digest, segment)))
        if summarizer.sees and not segment.summaries:
            segment = replace(segment, frames=await self.pictures(segment.t_start, segment.t_end, _PICTURES))
        text = await within(self._clock, self._bounds.seconds, summarizer.summarize(segment))
        if not isinstance(text, str) or not text.strip():
            raise ValueError("empty")
        return text[:most].strip()

    def _put(self, summary: Summary, tier: deque[Summary]) -> None:
        for place, gap in enumerate(tier):
            if (gap.t_start, gap.t_end) == (summary.t_start, summary.t_end):
                tier[place] = summary
        if tier is self._mid:
            self.written(summary)

    def _compress(self) -> None:
        """The oldest five become one block as soon as there are ten, so that the last five are always there in full."""
        if len(self._mid) < 2 * _EVERY:
            return
        oldest = tuple(self._mid.popleft() for _ in range(_EVERY))
        block = Segment(oldest[0].t_start, oldest[-1].t_end, self._bounds.block_tokens, summaries=oldest, language=self.language)
        self._long.append(Summary(block.t_start, block.t_end, cut(digest(block), self._bounds.block_tokens)))
        self._order(block, self._long, self._bounds.block_tokens)


async def _no_pictures(since: float, until: float, most: int) -> tuple[Frame, ...]:
    return ()
