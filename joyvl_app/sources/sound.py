"""Sound files and soundtracks as a microphone would bring them; and a loudspeaker that is a file."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np

from joyvl_app.audio import HEARD_RATE, SPOKEN_RATE, pcm
from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.errors import BadInput

_STEP = HEARD_RATE // 10  # samples a chunk


class SoundSource:
    """The first sound track of a file in any format that PyAV reads, mono 16 kHz, in chunks of 0.1 s."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sound-file")
        self._container = _open(path)

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        """`t` counts from the beginning of the file. Raises BadInput when nothing in it can be decoded."""
        loop, decoded = asyncio.get_running_loop(), self._decode()
        while (chunk := await loop.run_in_executor(self._pool, next, decoded, None)) is not None:
            yield chunk

    async def aclose(self) -> None:
        self._pool.submit(self._container.close)
        self._pool.shutdown(wait=True)

    def _decode(self) -> Iterator[AudioChunk]:
        rest: Pcm = np.zeros(0, np.int16)
        taken = 0
        for samples in self._samples():
            rest = np.concatenate([rest, samples])
            while rest.size >= _STEP:
                yield AudioChunk(taken / HEARD_RATE, HEARD_RATE, rest[:_STEP])
                rest, taken = rest[_STEP:], taken + _STEP
        if rest.size:
            yield AudioChunk(taken / HEARD_RATE, HEARD_RATE, rest)
        elif not taken:
            raise BadInput(f"{self._name} holds no sound that can be decoded; it may be damaged.")

    def _samples(self) -> Iterator[Pcm]:
        """Decoded samples; a packet that cannot be decoded is passed over."""
        resampler = av.AudioResampler(format="s16", layout="mono", rate=HEARD_RATE)
        packets = self._container.demux(audio=0)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                for frame in packet.decode():
                    yield from (pcm(part.to_ndarray()) for part in resampler.resample(frame))
            except av.error.FFmpegError as error:
                if isinstance(error, av.error.EOFError):
                    return


class SoundFile:
    """A WAV file in the loudspeaker's place (24 kHz mono). Raises BadInput when it cannot be written."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = wave.open(path.open("wb"), "wb")
        except OSError as error:
            raise BadInput(f"Cannot write the sound to {path}: {error.strerror}.") from error
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(SPOKEN_RATE)

    def play(self, samples: Pcm) -> None:
        self._file.writeframes(samples.tobytes())

    def close(self) -> None:
        self._file.close()


def _open(path: Path) -> av.container.InputContainer:
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be read as sound; it may be damaged or of an unknown format.") from error
    if not container.streams.audio:
        container.close()
        raise BadInput(f"{path.name} has no sound in it.")
    return container
