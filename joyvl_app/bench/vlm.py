"""`bench vlm`: a kept second against a fresh reading of one tiny model in one run; two hours of it; on a GPU, the 8B model."""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from joyvl_app.bench import Result
from joyvl_app.bench.flagship import measure_flagship
from joyvl_app.bench.tiny import write_tiny
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.vlm.checkpoint import Placement, load
from joyvl_app.deciders.vlm.decider import VlmDecider
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.stream import Stream
from joyvl_app.dialect.tokens import SILENCE
from joyvl_app.domain import Frame, Image, Moment
from joyvl_app.memory.window import Window
from joyvl_app.settings import Settings

_FRAMES = 100
_EDGE = 8  # seconds around second 5 and second 100 whose median is taken
_SIZE = (96, 128)
_HIDDEN, _LAYERS = 192, 4
_LONG = 7_200
_WARM = 600  # seconds: six chunks
_TARGETS = {
    "speedup": (">=", 20.0),
    "tick_100_to_5": ("<=", 1.3),
    "logits_apart": ("<=", 1e-3),
    "rollback_apart": ("<=", 0.0),
    "two_hours_tick_ratio": ("<=", 1.3),
    "two_hours_growth_mb": ("<=", 25.0),
}


def measure() -> Result:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    result = Result(targets=dict(_TARGETS))
    with tempfile.TemporaryDirectory() as folder:
        write_tiny(Path(folder), hidden=_HIDDEN, layers=_LAYERS)
        result.figures |= _kept_against_fresh(Engine(load(folder, Placement("cpu", "float32"))))
        gc.collect()
        result.figures |= asyncio.run(_two_hours(folder))
    if torch.cuda.is_available():
        result.figures |= measure_flagship()
    else:
        print("No GPU: the 8B model was not measured.")
    return result


def picture(seed: int, size: tuple[int, int] = _SIZE) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)


def turns(engine: Engine, count: int, size: tuple[int, int] = _SIZE) -> list[Piece]:
    """So many silent seconds as the model is told them."""
    frame, quiet = engine.framing.pictured, engine.encode(SILENCE)
    texts = [frame.first("You watch a live video.", "<1.0 seconds>\n")]
    texts += [frame.later(f"<{t}.0 seconds>\n") for t in range(2, count + 1)]
    return [engine.inputs.piece(quiet if number else (), text, (), [picture(number, size)]) for number, text in enumerate(texts)]


def _kept_against_fresh(engine: Engine) -> dict[str, float]:
    told = turns(engine, _FRAMES)
    for piece in told[:3]:  # warm
        engine.forward([(Stream(expected=64), piece)])
    stream, took, kept = Stream(expected=_FRAMES * told[1].count + told[0].count), [], torch.empty(0)
    for piece in told:
        mark, began = stream.mark(), time.perf_counter()
        kept = engine.forward([(stream, piece)])
        took.append(time.perf_counter() - began)
    fresh_times, fresh = [], kept
    for _ in range(3):
        began = time.perf_counter()
        fresh = engine.whole(told)
        fresh_times.append(time.perf_counter() - began)
    stream.back_to(mark)
    again = engine.forward([(stream, told[-1])])
    early, late = statistics.median(took[2 : 2 + _EDGE]), statistics.median(took[-_EDGE:])
    return {
        "tick_5_ms": early * 1000, "tick_100_ms": late * 1000, "fresh_100_ms": min(fresh_times) * 1000,
        "speedup": min(fresh_times) / late, "tick_100_to_5": late / early,
        "logits_apart": float((kept - fresh).abs().max()), "rollback_apart": float((kept - again).abs().max()),
    }  # fmt: skip


async def _two_hours(folder: str) -> dict[str, float]:
    """A silent session of 7,200 seconds with its chunks: tick times and memory of the last ten minutes against minutes 10 to 20."""
    settings = Settings.model_validate({"model": folder, "model_device": "cpu", "model_dtype": "float32"})
    decider = VlmDecider(ManualClock(charge=False), settings)
    await decider.start()
    watcher, memory = decider.open("long"), Window(settings.chunk_seconds, settings.qa_pairs)
    pictures = [picture(seed) for seed in range(16)]
    took: list[float] = []
    resident: dict[int, float] = {}
    for t in range(_LONG):
        moment = Moment(
            t=float(t), frames=(Frame(float(t), pictures[t % 16]),), instruction="Count the people.", sensitivity=-50.0,
            context=memory.context(), chunk_id=memory.chunk_id,
        )  # fmt: skip
        began = time.perf_counter()
        decision = await watcher.decide(moment)
        took.append(time.perf_counter() - began)
        memory.observe(moment, decision)
        if t in (_WARM, _LONG - 1):
            gc.collect()
            resident[t] = psutil.Process().memory_info().rss / 1e6
    await decider.aclose()
    early, late = statistics.median(took[_WARM : 2 * _WARM]), statistics.median(took[-_WARM:])
    return {
        "two_hours_tick_ms": late * 1000, "two_hours_tick_ratio": late / early,
        "two_hours_growth_mb": resident[_LONG - 1] - resident[_WARM],
    }  # fmt: skip
