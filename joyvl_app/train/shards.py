"""Clips as Parquet shards: a talk and one JPEG a second each, a chunk to a row group, so that any one can be read alone.

Columns: id, family, talk (JSON), frames (list of JPEG: those of a chunk). The footer's `clips` says how many row groups each clip
has. A shard without its footer is torn, and told to be; pages have checksums.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from joyvl_app.domain import Image
from joyvl_app.errors import BadInput
from joyvl_app.train.past import MOST_SECONDS
from joyvl_app.train.states import sync
from joyvl_app.train.talks import Line, Talk

_QUALITY = 92
_OPEN = 16  # shards kept open
_TORN = "{path} is torn or no shard; delete it and run data convert again"


@dataclass(frozen=True, eq=False)
class Clip:
    """A talk and its pictures as JPEG, one a second."""

    talk: Talk
    frames: tuple[bytes, ...]

    def images(self) -> Sequence[Image]:
        """Decoded when asked for. Raises BadInput naming the frame that is damaged or missing."""
        if len(self.frames) < self.talk.seconds:
            raise BadInput(f"clip {self.talk.id}: frame {len(self.frames)} of {self.talk.seconds} is missing")
        if len(self.frames) > self.talk.seconds:
            raise BadInput(f"clip {self.talk.id}: it has {len(self.frames)} frames for {self.talk.seconds} seconds")
        return _Pictures(self.talk.id, self.frames)


class _Pictures(Sequence[Image]):
    def __init__(self, name: str, frames: Sequence[bytes]) -> None:
        self._name, self._frames = name, frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: Any) -> Any:
        return _decoded(self._name, number, self._frames[number])


def jpeg(image: Image) -> bytes:
    held = io.BytesIO()
    Pillow.fromarray(image).save(held, "JPEG", quality=_QUALITY)
    return held.getvalue()


def write_shard(path: Path, clips: Iterable[Clip]) -> int:
    """The shard under its name, or nothing; how many clips it holds. One clip is in memory at a time. Raises BadInput when the
    disk is full, and what making `clips` raises.
    """
    from pyarrow import ArrowException

    part, written = path.with_suffix(".part"), 0
    try:
        with closing(_Writer(part)) as writer:
            for clip in clips:
                writer.add(clip)
                written += 1
        if written:
            sync(part)
            part.replace(path)
            sync(path.parent)
    except (OSError, ArrowException) as error:
        raise BadInput(
            f"Cannot write {path}: {getattr(error, 'strerror', None) or error}. The shards before it are whole; run it again."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return written


class _Writer:
    """A row group for each chunk of each clip."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        text, many = pa.string(), pa.list_(pa.binary())
        self._kinds = pa.schema([("id", text), ("family", text), ("talk", text), ("frames", many)])
        self._clips: list[int] = []
        self._file = pq.ParquetWriter(path, self._kinds, compression="none", write_page_checksum=True)

    def add(self, clip: Clip) -> None:
        import pyarrow as pa

        talk, starts = clip.talk, range(0, max(1, len(clip.frames)), MOST_SECONDS)
        row = {"id": talk.id, "family": talk.family, "talk": json.dumps(asdict(talk), ensure_ascii=False)}
        for start in starts:
            frames = list(clip.frames[start : start + MOST_SECONDS])
            self._file.write_table(pa.Table.from_pylist([row | {"frames": frames}], self._kinds))
        self._clips.append(len(starts))

    def close(self) -> None:
        self._file.add_key_value_metadata({"clips": json.dumps(self._clips)})
        self._file.close()


def shard_size(path: Path) -> int:
    """How many clips it holds. Raises BadInput when it is torn."""
    return len(_opened(path)[1])


def read_clip(path: Path, place: int, chunk: int | None = None) -> Clip:
    """With `chunk` only its frames and those of the one before are read; the others are empty. Raises BadInput when shard or clip
    is damaged.
    """
    file, clips = _opened(path)
    first, start = 0 if chunk is None else max(0, chunk - 1), sum(clips[:place])
    try:
        last = clips[place] if chunk is None else min(clips[place], chunk + 1)
        rows = file.read_row_groups(range(start + first, start + last)).to_pylist()
        talk = _talk(json.loads(rows[0]["talk"]))
        frames = [b""] * (first * MOST_SECONDS) + [frame for row in rows for frame in row["frames"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadInput(f"{path}, clip {place + 1}: it is damaged ({str(error)[:120]})") from error
    unread = talk.seconds - len(frames) if last < clips[place] else 0
    return Clip(talk, (*frames, *[b""] * unread))


def shards_in(folder: Path) -> list[Path]:
    """Raises BadInput when there are none."""
    found = sorted(folder.glob("shard-*.parquet"))
    if not found:
        raise BadInput(f"There are no shards in {folder}. Make them with: python -m joyvl_app data convert")
    return found


def chunks_in(folder: Path) -> list[tuple[Path, int, int]]:
    """Every chunk of every clip as shard, place and number. Raises BadInput on a torn shard."""
    found: list[tuple[Path, int, int]] = []
    for path in shards_in(folder):
        found += [(path, place, chunk) for place, chunks in enumerate(_opened(path)[1]) for chunk in range(chunks)]
    return found


@lru_cache(maxsize=_OPEN)
def _opened(path: Path) -> tuple[Any, list[int]]:
    """The file, and how many row groups each of its clips has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        clips: list[int] = json.loads(file.metadata.metadata[b"clips"])
        return file, clips
    except (OSError, pa.ArrowException, TypeError, KeyError, ValueError) as error:
        raise BadInput(_TORN.format(path=path)) from error


def _talk(raw: dict[str, Any]) -> Talk:
    def lines(name: str) -> tuple[Line, ...]:
        return tuple(Line(float(line["t"]), line["text"]) for line in raw[name])

    return Talk(str(raw["id"]), str(raw["family"]), int(raw["seconds"]), lines("questions"), lines("responses"), lines("results"))


def _decoded(name: str, number: int, frame: bytes) -> Image:
    try:
        return np.asarray(Pillow.open(io.BytesIO(frame)).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise BadInput(f"clip {name}: frame {number} is damaged") from error
