"""What is in a folder of shards: every fault by its name, and what a model would learn from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from joyvl_app.domain import Delegate, Image, Silence
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.train.encoding import Encoder
from joyvl_app.train.loss import Weights
from joyvl_app.train.shards import read_clip, shard_size, shards_in
from joyvl_app.train.talks import Talk, chunks_of, seconds_of


@dataclass
class Contents:
    """Counts over all clips that can be used; `faults` are (where, what)."""

    clips: int = 0
    seconds: int = 0
    responses: int = 0
    delegations: int = 0
    tokens: int = 0
    most_tokens: int = 0
    families: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, str]] = field(default_factory=list)

    @property
    def silent(self) -> float:
        """The share of seconds in which nothing is said."""
        return 1 - self.responses / max(1, self.seconds)


def look_through(folder: Path, encoder: Encoder | None = None, pictures: bool = True) -> Contents:
    """Read every clip; with `encoder` count its tokens, with `pictures` decode every frame. Raises BadInput without any shard."""
    contents = Contents()
    for path in shards_in(folder):
        try:
            size = shard_size(path)
        except BadInput as error:
            contents.faults.append((path.name, str(error)))
            continue
        for place in range(size):
            try:
                _take_in(contents, path, place, encoder, pictures)
            except (BadInput, ProviderFailed, ValueError) as error:  # pictures of a shape that no model takes
                contents.faults.append((f"{path.name}, clip {place + 1}", str(error)[:200]))
    return contents


def _take_in(contents: Contents, path: Path, place: int, encoder: Encoder | None, pictures: bool) -> None:
    clip = read_clip(path, place)
    seconds = seconds_of(clip.talk)
    images = clip.images() if pictures or encoder else ()
    for _ in images if pictures else ():  # a damaged one tells itself
        pass
    sizes = _sizes(encoder, clip.talk, images) if encoder else []
    contents.clips += 1
    contents.seconds += len(seconds)
    contents.responses += sum(not isinstance(second.decision, Silence) for second in seconds)
    contents.delegations += _delegations(clip.talk)
    contents.families[clip.talk.family] += 1
    contents.tokens += sum(sizes)
    contents.most_tokens = max(contents.most_tokens, *sizes, 0)


def _sizes(encoder: Encoder, talk: Talk, images: Sequence[Image]) -> list[int]:
    """Tokens of each chunk, of which one is in memory at a time."""
    return [row.tokens for n in range(chunks_of(talk)) for row in encoder.rows(talk, images, Weights(), chunk=n)]


def _delegations(talk: Talk) -> int:
    return sum(isinstance(second.decision, Delegate) for second in seconds_of(talk))
