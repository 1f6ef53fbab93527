"""A transcriber that says what it was told to, when the audio reaches the time: for demos and tests without an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from joyvl_app.domain import AudioChunk, Transcript


class ScriptedTranscriber:
    """Yields each line once the audio has passed its end."""

    def __init__(self, lines: Iterable[Transcript] = ()) -> None:
        self._lines = sorted(lines, key=lambda line: line.t_end)

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def stream(self, audio: AsyncIterator[AudioChunk]) -> AsyncIterator[Transcript]:
        pending = list(self._lines)
        async for chunk in audio:
            while pending and pending[0].t_end <= chunk.t + chunk.seconds:
                yield pending.pop(0)
