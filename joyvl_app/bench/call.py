"""Half an hour of a call on the manual clock: a person and the assistant take turns, all engines but the decider are real."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import psutil

from joyvl_app.bench.conversation import sentence
from joyvl_app.bench.room import Room
from joyvl_app.brain.canned import CannedBrain
from joyvl_app.build import build_providers
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.scripted import ScriptedDecider, Step
from joyvl_app.domain import Frame, Respond
from joyvl_app.event_log import EventLog
from joyvl_app.events import Heard, Spoken
from joyvl_app.memory.session_memory import SessionMemory
from joyvl_app.memory.window import Window
from joyvl_app.parts import Controls, Parts
from joyvl_app.session import Session
from joyvl_app.settings import Settings

_MINUTES = 30
_EVERY = 15.0  # seconds between two turns of the person; the assistant speaks in between
_SETTLED = 300.0  # seconds after which memory is compared
_WORDS = ("What do you see?", "How many people are there?", "Is there a dog on the lawn?", "What does the sign say?")
_ANSWER = "Someone came in on the left. That makes three people on the lawn."


async def simulated_call() -> dict[str, float]:
    """Resident memory after five minutes and at the end, and the share of turns that were heard and said."""
    clock, settings = ManualClock(), Settings.model_validate({"synthesizer": "hibari"})
    providers = build_providers(settings, clock)
    voices = providers.voices.chain()[:1]
    await clock.drive(voices[0].start())
    turns = round(_MINUTES * 60 / _EVERY) - 1
    steps = [Step(8.0 + number * _EVERY, Respond(_ANSWER, 0.9)) for number in range(turns)]
    transcriber, detector = providers.voices.ears()
    memory = SessionMemory(clock, Window(settings.chunk_seconds, settings.qa_pairs))
    parts = Parts(ScriptedDecider(clock, steps), memory, CannedBrain(), voices, transcriber, detector)
    log = EventLog()
    session = Session("call", parts, Controls("watch"), clock, log, settings)
    said = [(1.0 + number * _EVERY, sentence(_WORDS[number % len(_WORDS)])) for number in range(turns)]
    room = Room(session.voice, clock, said, echo=0.1, keeps=False)
    began = time.perf_counter()
    early, late = await clock.drive(_live(session, room, clock))
    await providers.aclose()
    heard, spoken = (log.counts[kind.model_fields["type"].default] for kind in (Heard, Spoken))
    print(f"{_MINUTES} minutes of a call in {time.perf_counter() - began:.0f} s: {heard} of {turns} turns heard, {spoken} said")
    return {"call_rss_mb": late, "call_growth_mb": late - early, "call_heard": heard / turns, "call_said": spoken / turns}


async def _live(session: Session, room: Room, clock: ManualClock) -> tuple[float, float]:
    early = 0.0
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        await session.ready.wait()
        living = group.create_task(room.live())
        picture = np.zeros((48, 64, 3), np.uint8)
        while clock.now() < _MINUTES * 60:
            session.see(Frame(clock.now(), picture))
            await clock.sleep_until(clock.now() + 1.0)
            if not early and clock.now() >= _SETTLED:
                early = _resident()
        session.stop()
        await running
        living.cancel()
    return early, _resident()


def _resident() -> float:
    return psutil.Process().memory_info().rss / 1e6
