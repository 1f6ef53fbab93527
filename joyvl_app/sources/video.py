"""A video file in any format that PyAV reads, upright, scaled, thinned to the rate that is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np

from joyvl_app.domain import Frame, Image
from joyvl_app.errors import BadInput
from joyvl_app.sources.scaling import fitted

_LISTS = {"hls", "concat", "dash"}  # such a file could name any other


class VideoSource:
    """Frames from second 0 on; a damaged stretch is skipped, a file without any picture raises BadInput."""

    def __init__(self, path: Path, rate: float, max_side: int) -> None:
        self.name = path.name
        self._spacing = 0.999 / rate
        self._max_side = max_side
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="video-file")
        self._container = _open(path)
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.damaged = 0  # packets that could not be decoded so far
        self.seconds = _duration(self._container, self._stream)
        self.end = 0.0  # how long the pictures read so far last, in the file's time

    async def frames(self) -> AsyncIterator[Frame]:
        loop, decoded = asyncio.get_running_loop(), self._decode()
        while (frame := await loop.run_in_executor(self._pool, next, decoded, None)) is not None:
            yield frame

    def pictures(self, start: float = 0.0, end: float | None = None) -> Iterator[Frame]:
        """The same frames without waiting, from `start` up to `end`."""
        for frame in self._decode():
            if end is not None and frame.t >= end:
                return
            if frame.t >= start:
                yield frame

    def close(self) -> None:
        self._pool.submit(self._container.close)
        self._pool.shutdown(wait=True)

    async def aclose(self) -> None:
        self.close()

    def _decode(self) -> Iterator[Frame]:
        began: float | None = None
        due = 0.0
        for picture in self._pictures():
            time = float(picture.time) if picture.time is not None else due
            began = time if began is None else began
            if time - began >= due:
                due = max(due + self._spacing, time - began - self._spacing)
                yield self._frame(time - began, picture)
        if began is None:
            raise BadInput(f"{self.name} holds no picture that can be decoded; it may be damaged.")

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Decoded pictures; a packet that cannot be decoded is passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.pts is not None and packet.duration and packet.time_base:
                    self.end = max(self.end, float((packet.pts + packet.duration) * packet.time_base))
                yield from packet.decode()
            except av.error.FFmpegError as error:
                if isinstance(error, av.error.EOFError):
                    return
                self.damaged += 1

    def _frame(self, t: float, picture: av.VideoFrame) -> Frame:
        width, height = fitted(picture.width, picture.height, self._max_side)
        image: Image = picture.to_ndarray(format="rgb24", width=width, height=height)  # type: ignore[assignment]
        turns = round((picture.rotation or 0) / 90) % 4
        return Frame(t, np.ascontiguousarray(np.rot90(image, turns)) if turns else image)


def _open(path: Path) -> av.container.InputContainer:
    try:
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be read as a video; it may be damaged or of an unknown format.") from error
    if _LISTS & set(container.format.name.split(",")):
        container.close()
        raise BadInput(f"{path.name} is a list of other files, not a video.")
    if not container.streams.video:
        container.close()
        raise BadInput(f"{path.name} has no picture, only sound; there is nothing to watch in it.")
    return container


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
