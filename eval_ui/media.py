"""Clips and recordings made ready once, at import: files that every browser plays, with a side's voice as their sound track.

Nothing is encoded while somebody rates. Tags are dropped, and a file is named after its content: neither tells whose side it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from joyvl_app.audio import SPOKEN_RATE, pcm
from joyvl_app.domain import Pcm
from joyvl_app.errors import BadInput

_PLAYS = {"mp4": ("h264",), "webm": ("vp8", "vp9", "av1")}  # what browsers play, by container
_MOST_SIDE = 1_080  # pixels of the shorter side after an encoding
_SOUND_STEP = 1_024  # samples of one AAC frame
_SHORTEST = 0.5  # seconds
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Probe:
    """What a video file is: seconds, pixels, and the container that browsers play it in as it is ("" when none)."""

    seconds: float
    width: int
    height: int
    plays_as: str
    sounds: bool


@dataclass(frozen=True)
class Cut:
    """The part of a file to show: seconds `start` to `end`, and a region of the picture as shares."""

    start: float
    end: float
    crop: Box | None = None

    @property
    def seconds(self) -> float:
        return self.end - self.start


def probe(path: Path) -> Probe:
    """Raises BadInput when there is no video in it that can be decoded."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInput(f"{path.name} has no picture")
            stream = container.streams.video[0]
            next(container.decode(stream))
            seconds = _seconds(container, stream)
            return Probe(seconds, stream.width, stream.height, _container_for(container, stream), bool(container.streams.audio))
    except (av.error.FFmpegError, StopIteration, OSError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be played; it may be damaged or of an unknown format") from error


def prepare(path: Path, cut: Cut | None, voice: Pcm | None, folder: Path) -> tuple[str, float]:
    """`path` as a file in `folder` that browsers play, and its name and seconds: copied where it can be, else encoded.

    `voice` (24 kHz mono, from the cut's start) becomes the sound track. Raises BadInput when it cannot be read.
    """
    about = probe(path)
    whole = cut is None or (cut.crop is None and cut.start < 0.01 and cut.end > about.seconds - 0.2)
    ending = about.plays_as if whole and about.plays_as else "mp4"
    part = folder / f".making.{ending}"
    try:
        if whole and about.plays_as:
            _copy(path, part, voice)
        else:
            encode(path, part, cut or Cut(0.0, about.seconds), voice)
        name = f"{_digest(part)}.{ending}"
        seconds = probe(part).seconds
        part.replace(folder / name)
    except (av.error.FFmpegError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be made ready: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return name, seconds


def sound_of(path: Path, cut: Cut) -> Pcm:
    """A file's own sound in a stretch of it, 24 kHz mono."""
    samples = np.zeros(round(cut.seconds * SPOKEN_RATE), np.int16)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SPOKEN_RATE)
    with av.open(str(path)) as container:
        at = -1
        for frame in container.decode(audio=0):
            if at < 0:
                at = round((float(frame.time or 0.0) - cut.start) * SPOKEN_RATE)
            for part in resampler.resample(frame):
                at = _lay(samples, pcm(part.to_ndarray()), at)
            if at > samples.size:
                break
    return samples


def _lay(samples: Pcm, piece: Pcm, at: int) -> int:
    """Put `piece` at sample `at`, as far as it fits; returns where it ends."""
    since, until = max(0, at), min(samples.size, at + piece.size)
    if since < until:
        samples[since:until] = piece[since - at : until - at]
    return at + piece.size


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    container.seek(0)
    return max((float(frame.time or 0.0) for frame in container.decode(video=0)), default=0.0)


def _container_for(container: av.container.InputContainer, stream: av.VideoStream) -> str:
    codec = stream.codec_context
    names = container.format.name.split(",")
    for name, codecs in _PLAYS.items():
        plain = codec.pix_fmt in ("yuv420p", "yuvj420p") and min(stream.width, stream.height) > 15
        if name in names and codec.name.removeprefix("lib").split("-")[0] in (*codecs, "dav1d", "vpx") and plain:
            return name
    return ""


def _copy(path: Path, out: Path, voice: Pcm | None) -> None:
    """The picture's packets as they are, in a file without tags."""
    with av.open(str(path)) as container, av.open(str(out), "w", options=_options(out)) as made:
        stream = container.streams.video[0]
        copied = made.add_stream_from_template(stream)
        copied.metadata.clear()
        _add_voice(made, voice, out.suffix)
        for packet in container.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                made.mux(packet)


def encode(path: Path, out: Path, cut: Cut, voice: Pcm | None = None) -> None:
    """The part of a video as H.264. Raises BadInput when there is no picture in that part."""
    with av.open(str(path)) as container, av.open(str(out), "w", options=_options(out)) as made:
        stream = container.streams.video[0]
        rate = stream.average_rate if stream.average_rate and 1 <= stream.average_rate <= 60 else Fraction(30)
        x, y, width, height = _region(stream.width, stream.height, cut.crop)
        scale = min(1.0, _MOST_SIDE / min(width, height))
        encoder = made.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
        encoder.width, encoder.height = (max(16, round(side * scale / 2) * 2) for side in (width, height))
        encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 90_000)
        _add_voice(made, voice, out.suffix)
        graph = None
        for frame in _frames(container, stream, cut):
            if graph is None:
                graph = _graph(frame, (x, y, width, height), (encoder.width, encoder.height))
            graph.push(frame)
            ready = graph.pull()
            assert isinstance(ready, av.VideoFrame)
            ready.pts, ready.time_base = round((float(frame.time or 0.0) - cut.start) * 90_000), Fraction(1, 90_000)
            made.mux(encoder.encode(ready))
        if graph is None:
            raise BadInput(f"{path.name} has no picture between {cut.start:g} and {cut.end:g} s")
        made.mux(encoder.encode())


def _frames(container: av.container.InputContainer, stream: av.VideoStream, cut: Cut) -> Iterator[av.VideoFrame]:
    if cut.start > 1:
        container.seek(int((cut.start - 1) * av.time_base))
    for frame in container.decode(stream):
        t = float(frame.time or 0.0)
        if t >= cut.end - 1e-3:
            return
        if t >= cut.start - 1e-3:
            yield frame


def _graph(frame: av.VideoFrame, region: tuple[int, int, int, int], size: tuple[int, int]) -> av.filter.Graph:
    graph = av.filter.Graph()
    x, y, width, height = region
    graph.link_nodes(
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
        graph.add("crop", f"{width}:{height}:{x}:{y}"),
        graph.add("scale", f"{size[0]}:{size[1]}"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _region(width: int, height: int, crop: Box | None) -> tuple[int, int, int, int]:
    if crop is None:
        return 0, 0, width, height
    x, y = int(crop[0] * width), int(crop[1] * height)
    return x, y, min(width - x, round(crop[2] * width)), min(height - y, round(crop[3] * height))


def _add_voice(made: av.container.OutputContainer, voice: Pcm | None, suffix: str) -> None:
    """The sound track first: the muxer holds its packets until the picture's come."""
    if voice is None or not voice.any():
        return
    rate = 48_000 if suffix == ".webm" else SPOKEN_RATE
    stream = made.add_stream("libopus" if suffix == ".webm" else "aac", rate=rate, layout="mono")
    fifo, resampler = av.AudioFifo(), av.AudioResampler(format=stream.format.name, layout="mono", rate=rate)
    sound = av.AudioFrame.from_ndarray(voice.reshape(1, -1), format="s16", layout="mono")
    sound.sample_rate, sound.pts = SPOKEN_RATE, 0
    for part in (*resampler.resample(sound), *resampler.resample(None)):
        fifo.write(part)
    step = stream.codec_context.frame_size or _SOUND_STEP
    while (piece := fifo.read(step, partial=True)) is not None:
        made.mux(stream.encode(piece))
    made.mux(stream.encode())


def _options(out: Path) -> dict[str, str]:
    return {"movflags": "faststart", "fflags": "bitexact"} if out.suffix == ".mp4" else {"fflags": "bitexact"}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:40]
