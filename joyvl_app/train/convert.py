"""Released annotations and their videos → shards: parallel, resumable, every rejected clip with its reason.

Shard n holds the clips of a fixed stretch of the annotation file, so that a stopped conversion goes on where it was; beside it
`shard-n.json` says how many clips it holds, which were rejected, and why, and of which videos it was made: a shard is made again
when its annotations or one of its videos are others now, not when a video is gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from joyvl_app.domain import MODEL_PIXELS, Frame, Image
from joyvl_app.errors import BadInput
from joyvl_app.evals.formats import Annotation
from joyvl_app.pools import process_pool
from joyvl_app.sources.video import VideoSource
from joyvl_app.train.shards import Clip, jpeg, shard_size, write_shard
from joyvl_app.train.states import alone_in, claim, write_note
from joyvl_app.train.talks import SHOWN, Line, Talk, check_talk

_RATE = 8  # pictures a second that are looked at for the one nearest to each whole second
_MOST_SECONDS = 7_200
_CELL = 32  # pixels of a vision token's side in models of the Qwen3-VL kind
_HOLE = 2.0  # seconds without a picture that a damaged video may have


@dataclass(frozen=True)
class Conversion:
    """What to convert and how: `pixels` is the most of a frame, `per_shard` how many annotations a shard answers for."""

    annotations: Path
    videos: Path
    out: Path
    pixels: int = MODEL_PIXELS
    per_shard: int = 64


@dataclass(frozen=True)
class Outcome:
    """Of one shard: how many clips it holds, and the rejected ones as (name, reason)."""

    clips: int
    rejected: tuple[tuple[str, str], ...]


def convert(conversion: Conversion, processes: int, told: Callable[[Outcome], None]) -> None:
    """Make all shards that are not there yet. Raises BadInput when the annotations cannot be read or nothing can be written."""
    with alone_in(conversion.out):
        _claim(conversion)
        _forget(conversion, _make(conversion, processes, told))


def _make(conversion: Conversion, processes: int, told: Callable[[Outcome], None]) -> int:
    """How many shards the annotations make."""
    torn, number = None, -1
    with process_pool(processes) as pool:
        waiting: dict[Future[Outcome], int] = {}
        try:
            for number, entries in enumerate(_stretches(conversion)):
                if isinstance(entries, BadInput):
                    torn = entries
                    break
                known = _known(conversion, number, entries)
                if known is not None:
                    told(known)
                    continue
                waiting[pool.submit(_shard, conversion, number, entries)] = number
                if len(waiting) >= 4 * processes:
                    told((done := next(as_completed(waiting))).result())
                    del waiting[done]
            for future in as_completed(waiting):
                told(future.result())
        except BrokenProcessPool as error:
            raise BadInput(_killed(conversion, sorted(waiting.values()))) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if torn:
        raise torn
    return number + 1


def _killed(conversion: Conversion, numbers: Sequence[int]) -> str:
    """What to look at when a decoder crashed, or memory ran out."""
    entries = ", ".join(f"{n * conversion.per_shard + 1} to {(n + 1) * conversion.per_shard}" for n in numbers[:4])
    return (
        f"A process that converted was killed, for want of memory (try --jobs 1) or by a video that crashes the decoder, one of "
        f"the entries {entries}{' …' if len(numbers) > 4 else ''}. With --jobs 1 --per-shard 1 and a new folder it is the first."
    )


def _forget(conversion: Conversion, first: int) -> None:
    """Shards from number `first` on come from a longer file of annotations that was converted here before."""
    for path in conversion.out.glob("shard-*.*"):
        figures = path.stem.removeprefix("shard-")
        if figures.isdigit() and int(figures) >= first:
            path.unlink()


def _claim(conversion: Conversion) -> None:
    """A folder belongs to one file of annotations and one way of converting it. Raises BadInput when it holds another's."""
    if not conversion.videos.is_dir():
        raise BadInput(f"There is no folder {conversion.videos} of videos.")
    wanted = {"annotations": conversion.annotations.resolve(), "videos": conversion.videos.resolve()}
    claim(
        conversion.out / "conversion.json",
        wanted | {"pixels": conversion.pixels, "per_shard": conversion.per_shard},
        "a conversion",
    )


def _stretches(conversion: Conversion) -> Iterator[list[Any] | BadInput]:
    """The annotation file's entries, `per_shard` at a time, without reading it whole; a fault in it comes last."""
    import ijson

    path, stretch = conversion.annotations, list[Any]()
    try:
        with path.open("rb") as file:
            if file.read(1024).lstrip()[:1] != b"[":
                raise BadInput(f"{path} is no list of clips; the released annotation files are.")
            file.seek(0)
            for entry in ijson.items(file, "item", use_float=True):
                stretch.append(entry)
                if len(stretch) == conversion.per_shard:
                    yield stretch
                    stretch = []
        torn = None
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror}.") from error
    except ijson.JSONError as error:
        torn = BadInput(f"{path} is not valid JSON from here on: {str(error)[:200]}. What came before it has been converted.")
    if stretch:
        yield stretch
    if torn:
        yield torn


def _digest(entries: Sequence[Any]) -> str:
    return hashlib.blake2b(json.dumps(entries, sort_keys=True).encode(), digest_size=12).hexdigest()


def _stamps(conversion: Conversion, entries: Sequence[Any]) -> list[str]:
    """Size and time of each entry's video, "" where there is none."""
    stamps = []
    for entry in entries:
        try:
            found = (conversion.videos / entry["video_path"]).stat()
            stamps.append(f"{found.st_size} {found.st_mtime_ns}")
        except (OSError, ValueError, TypeError, KeyError):
            stamps.append("")
    return stamps


def _known(conversion: Conversion, number: int, entries: Sequence[Any]) -> Outcome | None:
    """What an earlier conversion made of this very stretch and its videos; None when there is none, or it is torn."""
    shard = _path(conversion, number)
    try:
        noted = json.loads(shard.with_suffix(".json").read_text(encoding="utf-8"))
        changed = any(now and now != then for now, then in zip(_stamps(conversion, entries), noted["videos"], strict=True))
        if changed or noted["digest"] != _digest(entries) or (noted["clips"] and shard_size(shard) != noted["clips"]):
            return None
        return Outcome(noted["clips"], tuple((name, why) for name, why in noted["rejected"]))
    except (OSError, ValueError, KeyError, TypeError, BadInput):
        return None


def _path(conversion: Conversion, number: int) -> Path:
    return conversion.out / f"shard-{number:05d}.parquet"


def _shard(conversion: Conversion, number: int, entries: Sequence[Any]) -> Outcome:
    rejected: list[tuple[str, str]] = []
    path, stamps = _path(conversion, number), _stamps(conversion, entries)
    clips = write_shard(path, _clips(conversion, number, entries, rejected))
    if not clips:
        path.unlink(missing_ok=True)
    noted = {"clips": clips, "digest": _digest(entries), "videos": stamps, "rejected": rejected}
    write_note(path.with_suffix(".json"), noted)
    return Outcome(clips, tuple(rejected))


def _clips(conversion: Conversion, number: int, entries: Sequence[Any], rejected: list[tuple[str, str]]) -> Iterator[Clip]:
    """Those of use; the others go to `rejected`."""
    for place, entry in enumerate(entries):
        try:
            yield _clip(conversion, entry, f"{number:05d}-{place:03d}")
        except Exception as error:  # whatever a damaged video or an odd name may raise, the others are converted
            name = str(entry.get("video_name", "")) if isinstance(entry, dict) else ""
            why = str(error) if isinstance(error, BadInput | OSError) else f"{type(error).__name__}: {str(error)[:200]}"
            rejected.append((_writable(name) or f"entry {number * conversion.per_shard + place + 1}", _writable(why)))


def _writable(text: str) -> str:
    """Half of a surrogate pair cannot be written."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _clip(conversion: Conversion, entry: Any, name: str) -> Clip:
    """Raises BadInput with the reason for which this clip is of no use."""
    try:
        annotation = Annotation.model_validate(entry)
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadInput(f"field {'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}") from error
    if annotation.quiet and not annotation.question:
        raise BadInput("it is quiet on purpose, but nothing is asked in it, so it teaches nothing")
    if not annotation.response and not annotation.quiet:
        raise BadInput("its list of responses is empty, so it teaches nothing (one that is quiet on purpose says quiet: true)")
    video = (conversion.videos / annotation.video_path).resolve()
    if not video.is_relative_to(conversion.videos.resolve()):
        raise BadInput(f"its video {annotation.video_path} lies outside the videos' folder")
    if not video.is_file():
        raise BadInput(f"there is no video {annotation.video_path}")
    lines = [_lines(said) for said in (annotation.question, annotation.response, annotation.result)]
    last = max(line.t for said in lines for line in said)
    frames = frames_of(video, conversion.pixels, last)
    talk = Talk(name, annotation.task_type, len(frames), *lines)
    check_talk(talk)
    return Clip(talk, tuple(frames))


def _lines(said: Sequence[Any]) -> tuple[Line, ...]:
    return tuple(Line(line.time, line.content) for line in said)


def shown(image: Image, pixels: int) -> Image:
    """What is larger than `pixels` as the model would be shown it live; the rest as it is, for the model's own resizing."""
    height, width = image.shape[:2]
    if height * width <= pixels:
        return image
    from joyvl_app.deciders.vlm.fitting import fitted  # transformers, which takes seconds to load

    return fitted(image, _CELL, _CELL * _CELL, pixels)


def frames_of(video: Path, pixels: int, last_line: float = 0.0) -> list[bytes]:
    """One JPEG for every whole second: the last picture up to it, and one more where something is said after the last whole
    second (`last_line`). Raises BadInput when the video cannot be used or has holes.
    """
    source = VideoSource(video, _RATE, 1_920)
    frames: list[bytes] = []
    last: Frame | None = None
    try:
        if (source.seconds or 0.0) > _MOST_SECONDS:
            raise BadInput(f"it is longer than {_MOST_SECONDS:,} s; cut it into parts")
        for frame in source.pictures(end=float(_MOST_SECONDS)):
            if last is not None and source.damaged and frame.t - last.t > _HOLE:
                raise BadInput(f"its pictures from {last.t:.1f} to {frame.t:.1f} s are missing or damaged")
            while last is not None and frame.t > len(frames) + 0.5 / _RATE:
                frames.append(jpeg(shown(last.image, pixels)))
            last = frame
    finally:
        source.close()
    if last is None or (source.seconds or 0.0) - max(last.t, source.end) > _HOLE:
        raise BadInput(f"its pictures end at {last.t if last else 0:.1f} of {source.seconds:.1f} s; it is cut short or damaged")
    if last.t >= len(frames):
        frames.append(jpeg(shown(last.image, pixels)))
    if len(frames) - 1 + SHOWN < last_line <= (source.seconds or last.t) + SHOWN:
        frames.append(jpeg(shown(last.image, pixels)))
    return frames
