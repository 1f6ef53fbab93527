"""Lead a source past a session: the same way for the command line, replay and benchmarks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from joyvl_app.clock import ManualClock, RealClock
from joyvl_app.errors import BadInput
from joyvl_app.playout import FRAME_SECONDS
from joyvl_app.ports import Clock, Source
from joyvl_app.session import Session
from joyvl_app.sources.sound import SoundFile, SoundSource

_HEAR_OUT = 5.0  # seconds at most after the last picture
Cue = tuple[float, Callable[[Session], object]]  # at this second of the source, do this to the session


@dataclass(frozen=True)
class Sounds:
    """What the session hears, and the file that is its loudspeaker."""

    microphone: SoundSource | None = None
    loudspeaker: SoundFile | None = None


async def watch(
    session: Session,
    source: Source,
    clock: Clock,
    seconds: float | None = None,
    cues: Sequence[Cue] = (),
    sounds: Sounds | None = None,
) -> None:
    """Feed `source` to `session` on its clock until it ends (or `seconds` have passed), and run the session meanwhile.

    `cues` are what the user says and does, in order of time. Raises BadInput when the source turns out unusable; the session is
    then stopped and its log closed first.
    """
    work = _watch(session, source, clock, seconds, cues, sounds or Sounds())
    if isinstance(clock, ManualClock):
        await clock.drive(work)
    else:
        await work


def make_clock(pace: str) -> RealClock | ManualClock:
    """`realtime` or `fast`. Raises BadInput."""
    if pace not in ("realtime", "fast"):
        raise BadInput(f"There is no pace '{pace}'. Choose from: realtime, fast.")
    return RealClock() if pace == "realtime" else ManualClock()


async def _watch(
    session: Session, source: Source, clock: Clock, seconds: float | None, cues: Sequence[Cue], sounds: Sounds
) -> None:
    running = asyncio.create_task(session.run())
    feeding = asyncio.create_task(_feed(session, source, clock, seconds))
    beside = [asyncio.create_task(work) for work in (_steer(session, clock, cues), *_sounding(session, clock, sounds))]
    try:
        await asyncio.wait((running, feeding), return_when=asyncio.FIRST_COMPLETED)
        if sounds.microphone and not running.done():
            await _hear_out(session, clock)
        session.stop()
        await running
        if feeding.done():
            feeding.result()
        for task in beside:
            if task.done():
                task.result()
    finally:
        for task in (feeding, running, *beside):
            task.cancel()
        await asyncio.gather(feeding, running, *beside, return_exceptions=True)
        await source.aclose()


def _sounding(session: Session, clock: Clock, sounds: Sounds) -> Iterator[Coroutine[Any, Any, None]]:
    if sounds.microphone:
        yield _listen(session, sounds.microphone, clock)
    if sounds.loudspeaker:
        yield _play(session, sounds.loudspeaker, clock)


async def _feed(session: Session, source: Source, clock: Clock, seconds: float | None) -> None:
    await session.ready.wait()
    began = clock.now()  # the warm-up is not part of the clip
    frames = aiter(source.frames())
    while (frame := await clock.timed(anext(frames, None))) is not None:
        if seconds is not None and frame.t >= seconds:
            await clock.sleep_until(began + seconds)
            return
        await clock.sleep_until(began + frame.t)
        session.see(type(frame)(began + frame.t, frame.image))


async def _listen(session: Session, sound: SoundSource, clock: Clock) -> None:
    await session.ready.wait()
    began = clock.now()
    chunks = aiter(sound.chunks())
    while (chunk := await clock.timed(anext(chunks, None))) is not None:
        await clock.sleep_until(began + chunk.t + chunk.seconds)
        session.voice.listen(replace(chunk, t=began + chunk.t))


async def _hear_out(session: Session, clock: Clock) -> None:
    """What was being said at the end is read and decided too."""
    session.voice.finish_turn()
    end = clock.now() + _HEAR_OUT
    await clock.sleep_until(clock.now() + 0.5)
    while clock.now() < end and not session.voice.floor_free:
        await clock.sleep_until(clock.now() + 0.1)


async def _play(session: Session, loudspeaker: SoundFile, clock: Clock) -> None:
    await session.ready.wait()
    due = clock.now()
    while True:
        loudspeaker.play(session.voice.playout.frame())
        due += FRAME_SECONDS
        await clock.sleep_until(due)


async def _steer(session: Session, clock: Clock, cues: Sequence[Cue]) -> None:
    await session.ready.wait()
    began = clock.now()
    for t, act in cues:
        await clock.sleep_until(began + t)
        act(session)
