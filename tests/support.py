"""What several tests need: sessions on the manual clock, small clips and pictures made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from joyvl_app.brain.scripted import ScriptedBrain
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.scripted import ScriptedDecider, ScriptedWatcher, Step
from joyvl_app.domain import Frame, Image
from joyvl_app.event_log import EventLog
from joyvl_app.events import Event
from joyvl_app.memory.archive import Record
from joyvl_app.memory.session_memory import SessionMemory
from joyvl_app.memory.window import Window
from joyvl_app.parts import Controls, Parts
from joyvl_app.ports import Brain, Decider, Synthesizer, Transcriber, VoiceDetector
from joyvl_app.session import Session
from joyvl_app.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CLIPS = ROOT / "assets" / "clips"
GREY: Image = np.full((48, 64, 3), 128, np.uint8)
E = TypeVar("E")


def settings(**changes: object) -> Settings:
    return Settings.model_validate(changes)


class Bench:
    """A session on the manual clock with a picture every half second, and a script of things that happen to it."""

    def __init__(
        self,
        steps: Sequence[Step] = (),
        *,
        decider: Callable[[ManualClock], Decider] | None = None,
        brain: Callable[[ManualClock], Brain] | None = None,
        synthesizer: Synthesizer | None = None,
        transcriber: Transcriber | None = None,
        detector: VoiceDetector | None = None,
        voices: tuple[Synthesizer, ...] = (),
        controls: Controls | None = None,
        instruction: str = "watch",
        pictures: bool = True,
        clock: ManualClock | None = None,
        window: Window | None = None,
        record: Record | None = None,
        **changes: object,
    ) -> None:
        self.clock = clock or ManualClock(charge=False)
        self.log = EventLog()
        self.watcher: ScriptedWatcher | None = None
        self._pictures = pictures
        made = decider(self.clock) if decider else self._scripted(steps)
        answering = brain(self.clock) if brain else ScriptedBrain(self.clock)
        limits = settings(**changes)
        voices = (synthesizer,) if synthesizer else voices
        memory = SessionMemory(self.clock, window or Window(limits.chunk_seconds, limits.qa_pairs), record=record)
        parts = Parts(made, memory, answering, voices, transcriber, detector)
        self.session = Session("test", parts, controls or Controls(instruction), self.clock, self.log, limits)

    def _scripted(self, steps: Sequence[Step]) -> Decider:
        bench = self

        class Remembering(ScriptedDecider):
            def open(self, session_id: str) -> ScriptedWatcher:
                bench.watcher = super().open(session_id)
                return bench.watcher

        return Remembering(self.clock, steps)

    async def run(self, seconds: float, *happenings: tuple[float, Callable[[Session], object]]) -> list[Event]:
        """Let `seconds` pass while each happening is done at its second; returns the events."""
        await self.clock.drive(self._run(seconds, sorted(happenings, key=lambda pair: pair[0])))
        return self.log.events()

    async def _run(self, seconds: float, happenings: list[tuple[float, Callable[[Session], object]]]) -> None:
        import asyncio

        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.session.run())
            await self.session.ready.wait()
            feeding = group.create_task(self._feed())
            for at, do in happenings:
                await self.clock.sleep_until(at)
                do(self.session)
            await self.clock.sleep_until(seconds)
            self.session.stop()
            await running
            feeding.cancel()

    async def _feed(self) -> None:
        while self._pictures:
            self.session.see(Frame(self.clock.now(), GREY))
            await self.clock.sleep_until(self.clock.now() + 0.5)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.log.events() if isinstance(event, kind)]


def write_clip(path: Path, images: Sequence[Image], fps: int = 10) -> Path:
    """An MP4 of these pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """A WAV file without any picture."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(int(16_000 * seconds)))
    return path


def sign(text: str, strength: float = 1.0, size: tuple[int, int] = (480, 270)) -> Image:
    """White text on dark blue, faded by `strength`."""
    picture = Pillow.new("RGB", size, (16, 24, 48))
    if text:
        font = ImageFont.load_default(34)
        shade = tuple(round(back + (255 - back) * strength) for back in (16, 24, 48))
        ImageDraw.Draw(picture).text((size[0] / 2, size[1] / 2), text, font=font, fill=shade, anchor="mm")
    return np.asarray(picture)
