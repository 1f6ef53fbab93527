"""The seams as protocols: what a plug-in must offer. Every port has a `scripted` provider that is a product, not a double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from joyvl_app.domain import (
    Answer,
    AudioChunk,
    Decision,
    Delegation,
    Frame,
    Moment,
    Passage,
    Pcm,
    Segment,
    Sound,
)

T = TypeVar("T")


class Clock(Protocol):
    """Time in seconds, real or driven by hand. `timed` runs real work and charges its measured duration to this clock."""

    def now(self) -> float: ...
    async def sleep_until(self, t: float) -> None: ...
    async def timed(self, work: Awaitable[T]) -> T: ...


class Provider(Protocol):
    """Everything pluggable is started once, may warm up there, and is closed once. What needs neither inherits this."""

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None


class Source(Protocol):
    """Pictures with their session seconds, in order; ends when the material ends. Raises BadInput on unusable material."""

    name: str
    seconds: float | None

    def frames(self) -> AsyncIterator[Frame]: ...
    async def aclose(self) -> None: ...


class Host(Protocol):
    """What a watcher may ask of the session it decides for.

    `renew`: the moment as it is now, for a decision that had to wait its turn. `draft`: the sentence as far as it is written.
    `tell`: a notice for the person who watches. `wrote`: a model's own text, and whether it held a decision.
    """

    def renew(self, moment: Moment) -> Moment: ...
    def draft(self, text: str) -> None: ...
    def tell(self, text: str) -> None: ...
    def wrote(self, raw: str, parsed: bool) -> None: ...


class Watcher(Protocol):
    """One session's decider: caches and conversation state hang here. A session sets itself as `host`.

    `understood` tells in a sentence what it will do with an instruction; "" when it takes instructions as they are.
    It sets `news` when it learned something between two seconds that deserves a decision at once (a text was read).
    `hush` ends a sentence that is being written: the decision under way becomes silence.
    """

    news: asyncio.Event
    host: Host

    async def decide(self, moment: Moment) -> Decision: ...
    def understood(self, instruction: str, language: str) -> str: ...
    def hush(self) -> None: ...
    def reset(self) -> None: ...
    async def aclose(self) -> None: ...


class Decider(Provider, Protocol):
    """Opens one watcher for each session."""

    name: str

    def open(self, session_id: str) -> Watcher: ...


@runtime_checkable
class Remembers(Protocol):
    """A decider that can keep what its networks found in a file, so that a replay of the same pictures need not find it again."""

    def remember(self, path: Path) -> None: ...


class Ear(Protocol):
    """One session's voice activity detection. `near` is what the microphone took, `far` what was being played meanwhile:
    16 kHz, the same whole number of windows of 512 samples. From what it hears while nobody has a turn it learns whether the
    assistant's own voice comes back from the room (`echoes`). `mistaken`: what passed for the user was that.
    """

    @property
    def echoes(self) -> bool: ...
    async def listen(self, near: Pcm, far: Pcm, turn: bool) -> list[Sound]: ...
    def mistaken(self) -> None: ...


class VoiceDetector(Provider, Protocol):
    """Opens one ear for each session."""

    def open(self) -> Ear: ...


class Transcriber(Provider, Protocol):
    """The words of one stretch of speech (16 kHz); "" when there are none. `languages` it knows; `quick` enough for captions
    while somebody speaks. Raises ProviderFailed.
    """

    @property
    def name(self) -> str: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def quick(self) -> bool: ...
    async def transcribe(self, speech: AudioChunk, language: str) -> str: ...


class Synthesizer(Provider, Protocol):
    """Speech for one sentence, in order; the chunks' `t` counts from the start of the sentence. `speed` 1 is its own pace.

    `languages` it speaks; `ready` once it is started. A voice that is not `audible` here (the browser's own) yields silence of
    about the right length. Raises ProviderFailed.
    """

    @property
    def name(self) -> str: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def audible(self) -> bool: ...
    @property
    def ready(self) -> bool: ...
    def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]: ...


class SessionTools(Protocol):
    """What a brain may look at, read-only. Times are seconds of this session; what was before it has negative ones."""

    async def search(
        self, words: str, since: float | None = None, until: float | None = None, most: int = 20, any_term: bool = True
    ) -> list[Passage]: ...
    async def between(
        self, since: float, until: float, most: int = 40, kinds: tuple[str, ...] = (), oldest: bool = False
    ) -> list[Passage]: ...
    async def frame_near(self, t: float) -> Frame | None: ...


class Summarizer(Provider, Protocol):
    """A segment in words, in at most its number of tokens (whoever gives more is cut). `sees`: it wants the segment's pictures.
    Raises ProviderFailed.
    """

    @property
    def sees(self) -> bool: ...
    async def summarize(self, segment: Segment) -> str: ...


class Memory(SessionTools, Protocol):
    """Owns chunk boundaries and the text prefix that a decider sees; its tools are what a brain may look up.

    `take` is told every event of the session's log with its number; `emit` takes events of its own (a chunk has ended, a summary
    is written), `tell` what the user should know; `take_fault` is what is wrong now, told once.
    """

    tell: Callable[[str], None]
    emit: Callable[[Any], None]

    @property
    def chunk_id(self) -> int: ...
    def observe(self, moment: Moment, decision: Decision) -> None: ...
    def context(self) -> str: ...
    def take(self, number: int, event: object) -> None: ...
    def take_fault(self) -> str: ...
    def summarize_with(self, own: Summarizer | None) -> None: ...
    async def aclose(self) -> None: ...


class Errand(Protocol):
    """A brain's line to the user while it works: a step to show, and leave to act on the world ("no" unless granted)."""

    def report(self, step: str) -> None: ...
    async def allowed(self, action: str, details: str) -> bool: ...


class Brain(Provider, Protocol):
    """Solves a delegated question. Failures come back as a failed Answer, or are raised."""

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer: ...
