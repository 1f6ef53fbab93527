"""The 8B model with random weights on a GPU: nothing is downloaded, for speed does not depend on what the weights know.

Per stream size: a silent tick, a written token, how many streams at one a second stay under 200 ms, how many fit into memory.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from joyvl_app.bench.tiny import tiny_tokenizer
from joyvl_app.clock import RealClock
from joyvl_app.deciders.queue import DeviceQueue
from joyvl_app.deciders.vlm.actions import Actions
from joyvl_app.deciders.vlm.checkpoint import Checkpoint, speed_up
from joyvl_app.deciders.vlm.device import VlmDevice
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.second import Second
from joyvl_app.deciders.vlm.stream import Stream
from joyvl_app.deciders.vlm.watcher import Model, VlmWatcher
from joyvl_app.dialect.tokens import SILENCE
from joyvl_app.domain import Frame, Image, Moment
from joyvl_app.settings import Settings
from joyvl_app.worker import Worker

SIZES = {"256x192": (192, 256), "640x480": (480, 640)}
_DEPTH = 50  # seconds in the stream before the ticks that are timed
_TICKS = 50
_CHUNK = 100
_LATENCY = 0.2
_TRIAL_SECONDS = 8.0
_CROWDS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_BATCHES = (1, 4, 8, 16, 32)


def flagship_config() -> Any:
    """Qwen3-VL-8B's shape, which is the flagship's."""
    from transformers import Qwen3VLConfig

    return Qwen3VLConfig(
        text_config={
            "vocab_size": 151_936, "hidden_size": 4_096, "intermediate_size": 12_288, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 262_144,
            "rope_parameters": {"rope_type": "default", "rope_theta": 5_000_000.0, "mrope_interleaved": True,
                                "mrope_section": [24, 20, 20]},
        },
        vision_config={
            "depth": 27, "hidden_size": 1_152, "intermediate_size": 4_304, "num_heads": 16, "out_hidden_size": 4_096,
            "patch_size": 16, "deepstack_visual_indexes": [8, 16, 24], "num_position_embeddings": 2_304,
        },
    )  # fmt: skip


def random_engine(config: Any, device: str, dtype: torch.dtype, shortest: int = 65_536) -> Engine:
    """An engine of this shape with random weights, made on the device itself."""
    from transformers import Qwen2VLImageProcessorPil, Qwen3VLForConditionalGeneration

    tokenizer = tiny_tokenizer()
    for name, mark in (("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>")):
        setattr(config, name, tokenizer.convert_tokens_to_ids(mark))
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model: Any = Qwen3VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    model.eval()
    speed_up(model)
    size = {"shortest_edge": shortest, "longest_edge": 262_144}
    processor = Qwen2VLImageProcessorPil(size=size, patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return Engine(Checkpoint("random 8B", model, tokenizer, processor, None))


def measure_flagship() -> dict[str, float]:
    """All figures on the first GPU, in bfloat16."""
    engine = random_engine(flagship_config(), "cuda", torch.bfloat16)
    print(f"8B with random weights on {torch.cuda.get_device_name()}: keys and values kept: {engine.keeps}")
    return measure_engine(engine, SIZES, _CROWDS)


def measure_engine(engine: Engine, sizes: dict[str, tuple[int, int]], crowds: tuple[int, ...]) -> dict[str, float]:
    """The figures of one engine; also run by the tests, on a tiny one."""
    figures: dict[str, float] = {}
    for name, size in sizes.items():
        told = _turns(engine, 2, size)
        measured = {**_ticks(engine, told), **_batches(engine, told), "tokens": float(told[1].count)}
        measured["streams_by_memory"] = float(_fit(engine, told[1].count))
        measured["streams_by_time"] = float(asyncio.run(_streams_by_time(engine, size, crowds)))
        figures |= {f"{name}_{figure}": value for figure, value in measured.items()}
        print(name, {figure: round(value, 2) for figure, value in measured.items()})
    return figures


def _turns(engine: Engine, count: int, size: tuple[int, int]) -> list[Piece]:
    frame, quiet, image = engine.framing.pictured, engine.encode(SILENCE), _picture(size)
    texts = [frame.first("You watch a live video.", "<1.0 seconds>\n"), *[frame.later("<2.0 seconds>\n")] * (count - 1)]
    return [engine.inputs.piece(quiet if number else (), text, (), [image]) for number, text in enumerate(texts)]


def _picture(size: tuple[int, int]) -> Image:
    return np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)


def _deep(engine: Engine, told: list[Piece]) -> Stream:
    stream = Stream(expected=told[0].count + _CHUNK * told[1].count)
    engine.forward([(stream, told[0])])
    for _ in range(_DEPTH):
        engine.forward([(stream, told[1])])
    return stream


def _ticks(engine: Engine, told: list[Piece]) -> dict[str, float]:
    """A silent tick with its encoding of the picture, at the middle of a chunk; and a written token."""
    stream = _deep(engine, told)
    mark = stream.mark()
    token = engine.inputs.piece(engine.encode("a")[:1], "", (), ())

    def tick(piece: Piece) -> Callable[[], None]:
        def run() -> None:
            engine.forward([(stream, piece)]).argmax(-1).tolist()
            stream.back_to(mark)

        return run

    ticks, words = _times(tick(told[1])), _times(tick(token))
    return {"tick_p50_ms": _ms(ticks, 50), "tick_p95_ms": _ms(ticks, 95), "token_p50_ms": _ms(words, 50)}


def _batches(engine: Engine, told: list[Piece]) -> dict[str, float]:
    """Ticks a second when so many are taken in one pass."""
    figures = {}
    for count in _BATCHES:
        try:
            streams = [_deep(engine, told) for _ in range(count)]
        except torch.OutOfMemoryError:
            break
        marks = [stream.mark() for stream in streams]

        def run(streams: list[Stream] = streams, marks: list[Any] = marks) -> None:
            engine.forward([(stream, told[1]) for stream in streams]).argmax(-1).tolist()
            for stream, mark in zip(streams, marks, strict=True):
                stream.back_to(mark)

        figures[f"batch_{count}_ticks_a_second"] = count / float(np.median(_times(run)))
    return figures


def _times(run: Callable[[], None]) -> list[float]:
    took = []
    for number in range(_TICKS + 5):
        began = time.perf_counter()
        run()
        if number >= 5:
            took.append(time.perf_counter() - began)
    return took


def _ms(values: list[float], percent: float) -> float:
    return float(np.percentile(values, percent)) * 1000


def _fit(engine: Engine, tokens: int) -> int:
    """Streams of a whole chunk that the free memory holds."""
    if engine.device.type != "cuda":
        return 0
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info(engine.device)[0]
    return int(0.9 * free / (tokens * _CHUNK * engine.bytes_a_token))


async def _streams_by_time(engine: Engine, size: tuple[int, int], crowds: tuple[int, ...]) -> int:
    """The largest crowd whose decisions, one a second each at moments of their own, take under 200 ms at p95."""
    best = 0
    for count in crowds:
        try:
            latency = await _trial(engine, size, count)
        except Exception as error:  # out of memory, most likely: the figure by memory tells
            print(f"{count} streams: {error}")
            break
        print(f"{count} streams of {size[1]}x{size[0]}: p95 {latency * 1000:.0f} ms")
        if latency >= _LATENCY:
            break
        best = count
    return best


async def _trial(engine: Engine, size: tuple[int, int], count: int) -> float:
    """p95 of the decision time over real watchers and the real queue, with short chunks so that memory does not bind."""
    settings = Settings.model_validate({"chunk_seconds": 10, "batch_max": 32, "load_max": 1.0})
    clock, actions = RealClock(), Actions(engine)
    worker, device = Worker("gpu", clock), VlmDevice(engine, actions)
    queue: DeviceQueue[Second] = DeviceQueue(device, worker, clock, batch_max=settings.batch_max)
    watchers = [VlmWatcher(str(number), Model(engine, actions, device, queue), settings) for number in range(count)]
    image, took = _picture(size), list[float]()

    async def live(watcher: VlmWatcher) -> None:
        due = clock.now() + random.random()
        end = clock.now() + _TRIAL_SECONDS
        second = 0
        while due < end:
            await clock.sleep_until(due)
            began = clock.now()
            moment = Moment(t=float(second), frames=(Frame(float(second), image),), instruction="Watch.", sensitivity=-50.0)
            await watcher.decide(moment)
            took.append(clock.now() - began if second > 1 else 0.0)  # the opening of a stream is no tick
            second += 1
            due = max(due + 1.0, clock.now())

    await asyncio.gather(*(live(watcher) for watcher in watchers))
    await asyncio.gather(*(watcher.aclose() for watcher in watchers))
    await queue.aclose()
    worker.close()
    return float(np.percentile([seconds for seconds in took if seconds], 95))
