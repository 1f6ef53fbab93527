"""Clips and recordings made ready once, at import: files that every browser plays, with a side's voice as their sound track.

Nothing is encoded while somebody rates. Tags are dropped, and a file is named after its content: neither tells whose side it is.
Phones film with pauses, turned, and with clocks that do not begin at 0: such files are encoded, upright and at an even rate.
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

_PLAYS = {"mp4": ("h264",), "webm": ("vp8", "vp9", "av1", "vpx", "dav1d")}  # what browsers play, by container
_RATES = 10, 60  # pictures a second after an encoding
_MOST_SIDE = 1_080  # pixels of the shorter side after an encoding
_SOUND_STEP = 1_024  # samples of one AAC frame
_ADRIFT = 0.1  # seconds by which sound may be off before it is put where its time says
_PAUSE = 0.3  # seconds between two pictures from which a clip is not played evenly
_LATE = 0.05  # seconds after 0 at which a file may begin
_TURNS = {90: ["transpose=cclock"], -90: ["transpose=clock"], 180: ["hflip", "vflip"], -180: ["hflip", "vflip"]}
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Probe:
    """What a video file is: seconds, pixels (upright), and the container that browsers play it in as it is ("" when none)."""

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
            first = next(container.decode(stream))
            width, height = _upright(first)
            sounds = bool(container.streams.audio)
        times = _times(path)
        even = times[0] < _LATE and max(np.diff(times), default=0.0) < _PAUSE
        seconds = float(times[-1] - times[0] + (np.median(np.diff(times)) if times.size > 1 else 0.04))
        return Probe(seconds, width, height, _container_for(path) if even and not first.rotation else "", sounds)
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
        raise BadInput(f"{path.name} cannot be made ready; it may be damaged") from error
    finally:
        part.unlink(missing_ok=True)
    return name, seconds


def sound_of(path: Path, cut: Cut) -> Pcm:
    """A file's own sound in a stretch of it, 24 kHz mono; silent where there is none."""
    samples = np.zeros(round(cut.seconds * SPOKEN_RATE), np.int16)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SPOKEN_RATE)
    with av.open(str(path)) as container:
        origin, at = _origin(container.streams.video[0]) if container.streams.video else 0.0, -1
        for frame in container.decode(audio=0):
            due = round((float(frame.time or 0.0) - origin - cut.start) * SPOKEN_RATE)
            at = due if at < 0 or abs(at - due) > _ADRIFT * SPOKEN_RATE else at
            for part in resampler.resample(frame):
                at = _lay(samples, pcm(part.to_ndarray()), at)
            if at > samples.size:
                break
    return samples


def encode(path: Path, out: Path, cut: Cut, voice: Pcm | None = None) -> None:
    """The part of a video as H.264, upright, at an even rate. Raises BadInput when there is no picture in it."""
    with av.open(str(path)) as container, av.open(str(out), "w", options=_options(out)) as made:
        stream = container.streams.video[0]
        rate = round(min(_RATES[1], max(_RATES[0], float(stream.guessed_rate or stream.average_rate or 30))))
        encoder, graph = None, None
        for number, frame in enumerate(_evenly(container, stream, cut, rate)):
            if encoder is None or graph is None:
                region, size = _geometry(frame, cut.crop)
                graph = _graph(frame, region, size)
                encoder = _encoder(made, size, rate)
                _add_voice(made, voice, out.suffix)
            frame.pts = number
            graph.push(frame)
            ready = graph.pull()
            assert isinstance(ready, av.VideoFrame)
            ready.pts, ready.time_base = number, Fraction(1, rate)
            made.mux(encoder.encode(ready))
        if encoder is None:
            raise BadInput(f"{path.name} has no picture between {cut.start:g} and {cut.end:g} s")
        made.mux(encoder.encode())


# --- pictures ----------------------------------------------------------------------------------------------------


def _times(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """When each picture is shown, in order; raises StopIteration where there is none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base
        stamps = [float(packet.pts * stream.time_base) for packet in container.demux(stream) if packet.pts is not None]
    if not stamps:
        raise StopIteration
    return np.sort(np.array(stamps))


def _origin(stream: av.VideoStream) -> float:
    """The second at which a file's pictures begin."""
    return float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0


def _evenly(container: av.container.InputContainer, stream: av.VideoStream, cut: Cut, rate: int) -> Iterator[av.VideoFrame]:
    """A picture for every 1/rate s of the cut: the newest there was by then, or the first."""
    origin = _origin(stream)
    if cut.start > 2:
        container.seek(int((cut.start + origin - 1) * av.time_base))
    frames = container.decode(stream)
    shown = ahead = next(frames, None)
    for number in range(max(1, round(cut.seconds * rate))):
        due = cut.start + origin + number / rate + 1e-3
        while ahead is not None and float(ahead.time or 0.0) <= due:
            shown, ahead = ahead, next(frames, None)
        if shown is None:
            return
        yield shown


def _upright(frame: av.VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if abs(frame.rotation) == 90 else (frame.width, frame.height)


def _geometry(frame: av.VideoFrame, crop: Box | None) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """The region of the upright picture (left, top, width, height), and its size in the new file."""
    width, height = _upright(frame)
    x, y = (int(crop[0] * width), int(crop[1] * height)) if crop else (0, 0)
    region = (
        x,
        y,
        *((min(width - x, round(crop[2] * width)), min(height - y, round(crop[3] * height))) if crop else (width, height)),
    )
    scale = min(1.0, _MOST_SIDE / min(region[2:]))
    across, down = (max(16, round(side * scale / 2) * 2) for side in region[2:])
    return region, (across, down)


def _graph(frame: av.VideoFrame, region: tuple[int, int, int, int], size: tuple[int, int]) -> av.filter.Graph:
    graph = av.filter.Graph()
    x, y, width, height = region
    steps = [
        *_TURNS.get(round(frame.rotation), []),
        f"crop={width}:{height}:{x}:{y}",
        f"scale={size[0]}:{size[1]}",
        "format=yuv420p",
    ]
    filters = [graph.add(*step.split("=", 1)) for step in steps]
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph


def _encoder(made: av.container.OutputContainer, size: tuple[int, int], rate: int) -> av.VideoStream:
    encoder = made.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, rate)
    return encoder


def _container_for(path: Path) -> str:
    with av.open(str(path)) as container:
        codec, names = container.streams.video[0].codec_context, container.format.name.split(",")
        plain = codec.pix_fmt in ("yuv420p", "yuvj420p")
        known = codec.name.removeprefix("lib").split("-")[0]
        return next((name for name, codecs in _PLAYS.items() if name in names and known in codecs and plain), "")


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


# --- sound -------------------------------------------------------------------------------------------------------


def _lay(samples: Pcm, piece: Pcm, at: int) -> int:
    """Put `piece` at sample `at`, as far as it fits; returns where it ends."""
    since, until = max(0, at), min(samples.size, at + piece.size)
    if since < until:
        samples[since:until] = piece[since - at : until - at]
    return at + piece.size


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
