"""The interaction model writes its own summaries: on the tiny checkpoint, through the real queue and engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from joyvl_app.bench.tiny import write_tiny
from joyvl_app.clock import RealClock
from joyvl_app.deciders.gate import Gated
from joyvl_app.deciders.vlm.decider import VlmDecider
from joyvl_app.domain import Frame, Moment, Respond, Segment
from joyvl_app.errors import ProviderFailed
from joyvl_app.worker import Worker
from tests.support import settings
from tests.test_vlm import Script, Told


async def test_the_deciding_model_summarises_and_its_sessions_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = RealClock()
    decider = VlmDecider(
        clock, settings(model=str(write_tiny(tmp_path)), model_device="cpu", picture_pixels=4_096, temperature=0)
    )
    assert decider.summarizer is None  # before it is loaded
    await decider.start()
    worker = Worker("gate", clock)
    summarizer = Gated(decider, 15, worker).summarizer
    assert summarizer is not None and summarizer.sees
    rng = np.random.default_rng(1)
    frames = tuple(Frame(float(t), rng.integers(0, 255, (48, 64, 3), np.uint8)) for t in range(12))
    watcher = decider.open("one")
    watcher.host = Told()
    script = Script(decider.model.engine, monkeypatch)
    script.words = ["</response> Hello.", "</response> Two people met.", "</response> Still here.", "</response> "]
    assert isinstance(await watcher.decide(Moment(t=1.0, frames=frames[:1], instruction="watch")), Respond)
    segment = Segment(0, 80, 40, frames=frames, notes="3 s said: Someone came in. </silence>")
    assert await summarizer.summarize(segment) == "Two people met."
    asked = script.prompt(1)
    assert "from second 0 to second 80" in asked and "3 s said: Someone came in. ‹/silence›" in asked
    assert asked.count("<|vision_start|>") == 6  # every second one of the twelve
    after = await watcher.decide(Moment(t=2.0, frames=frames[1:2], instruction="watch"))
    assert isinstance(after, Respond) and after.text == "Still here."  # its own stream was not touched
    with pytest.raises(ProviderFailed, match="wrote no summary"):
        await summarizer.summarize(segment)
    await watcher.aclose()
    await decider.aclose()
    worker.close()


def test_another_summariser_is_left_to_the_settings(tmp_path: Path) -> None:
    assert VlmDecider(RealClock(), settings(model=str(tmp_path), summarizer="digest")).summarizer is None
