"""`bench gate`: how many seconds of a still camera the gate spares, its cost, and that it loses none of the suite's events."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import numpy as np

from joyvl_app.bench import Result
from joyvl_app.clock import RealClock
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.gate import GateWatcher
from joyvl_app.domain import Decision, Frame, Image, Moment, Silence, Transcript
from joyvl_app.evals.cases import Case
from joyvl_app.evals.clips import Clip, open_clip
from joyvl_app.evals.suite import load_suite
from joyvl_app.mailbox import Looks
from joyvl_app.scenario import SCENARIOS
from joyvl_app.settings import load_settings
from joyvl_app.sources import VideoSource
from joyvl_app.worker import Worker

CLIPS = Path(__file__).resolve().parent.parent.parent / "assets" / "clips"
_STILL_SECONDS = 600
_FPS = 5
_NOISE = 4.0  # grey levels, as a webcam has in a dim room
_LATE = 2.0  # seconds behind an event in which the gate must have opened


class _Silent(PlainWatcher):
    async def decide(self, moment: Moment) -> Decision:
        return Silence(0.02)


def measure() -> Result:
    result = Result(targets={"still_gated": (">=", 0.9), "events_lost": ("<=", 0.0)})
    gated, millis = asyncio.run(_still())
    result.figures |= {"still_gated": gated, "gate_ms": millis}
    result.figures |= asyncio.run(_suite())
    return result


def _gate() -> GateWatcher:
    return GateWatcher(_Silent(), load_settings().gate_seconds, Worker("gate", RealClock()))


# --- a still camera ----------------------------------------------------------------------------------------------------


async def _still() -> tuple[float, float]:
    """Ten minutes of one picture with fresh sensor noise, through a real encoder: the share spared, and milliseconds a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "still.mp4"
        await asyncio.to_thread(_film, path)
        gate = _gate()
        source = VideoSource(path, _FPS, 1_280)
        took = [seconds async for _, _, seconds in _ticks(gate, source.frames(), "Tell me when someone comes in.")]
        await source.aclose()
    return gate.gated / (gate.gated + gate.passed), statistics.median(took) * 1000


def _film(path: Path) -> None:
    source = VideoSource(CLIPS / "security.mp4", 1, 640)
    room = next(iter(source.pictures())).image.astype(np.int16)
    source.close()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_FPS, options={"preset": "ultrafast", "crf": "26"})
        stream.height, stream.width, stream.pix_fmt = room.shape[0] // 2 * 2, room.shape[1] // 2 * 2, "yuv420p"
        for image in _noisy(room[: stream.height, : stream.width]):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _noisy(room: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> Iterator[Image]:
    rng = np.random.default_rng(1)
    noise = [rng.normal(0, _NOISE, room.shape).astype(np.int16) for _ in range(8)]
    for number in range(_STILL_SECONDS * _FPS):
        yield np.clip(room + np.roll(noise[number % 8], int(rng.integers(room.size)), axis=None), 0, 255).astype(np.uint8)


# --- the suite's events ------------------------------------------------------------------------------------------------


async def _suite() -> dict[str, float]:
    """Every event of every case whose clip is there: did the gate open between the event and two seconds after it?"""
    suite = load_suite([SCENARIOS / "cases"], load_settings().data_dir / "cache")
    events = seconds = passed = 0
    lost: list[str] = []
    for case in suite.cases:
        if not case.spec.events:
            continue
        opened = await _opened(case, suite.clips[case.clip])
        missed = [event.t for event in case.spec.events if not any(event.t <= t <= event.t + _LATE for t in opened)]
        lost += [f"{case.id} at {t:g} s" for t in missed]
        events += len(case.spec.events)
        seconds += int(case.seconds)
        passed += len(opened)
    print("events lost:", ", ".join(lost) or "none")
    return {"events": events, "events_lost": len(lost), "suite_gated": 1 - passed / seconds}


async def _opened(case: Case, clip: Clip) -> list[float]:
    """The seconds at which the gate was open."""
    gate = _gate()
    source = open_clip(clip, case.spec, 1_280)
    opened = [t async for t, through, _ in _ticks(gate, source.frames(), case.spec.instruction, case) if through]
    await source.aclose()
    return opened


async def _ticks(
    gate: GateWatcher, frames: AsyncIterator[Frame], instruction: str, case: Case | None = None
) -> AsyncIterator[tuple[float, bool, float]]:
    """A decision a second, as a session asks for it: its time, whether it was let through, what it took."""
    looks, due, given_t = Looks(2), 0.5, 0.0
    said = sorted((one.t, one.text) for one in case.spec.instructions) if case else []
    heard = sorted((one.t, one.text) for one in case.spec.heard) if case else []
    async for frame in frames:
        looks.put(frame)
        if frame.t < due:
            continue
        while said and said[0][0] <= frame.t:
            given_t, instruction = said.pop(0)
        words = tuple(Transcript(text, t, t) for t, text in heard if t <= frame.t)
        heard = [one for one in heard if one[0] > frame.t]
        moment = Moment(t=frame.t, frames=looks.take(), instruction=instruction, instruction_t=given_t, heard=words)
        before, began = gate.passed, time.perf_counter()
        await gate.decide(moment)
        yield frame.t, gate.passed > before, time.perf_counter() - began
        due += 1.0
