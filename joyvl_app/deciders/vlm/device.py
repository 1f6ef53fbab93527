"""The model as the queue's device: packs what waits into one pass, and gives idle streams' memory back when it must."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from weakref import WeakKeyDictionary

import psutil
import torch

from joyvl_app.deciders.queue import OutOfRoom
from joyvl_app.deciders.vlm.actions import Actions
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.second import Second
from joyvl_app.deciders.vlm.stream import Stream
from joyvl_app.errors import Busy

_SHARE = 0.9  # of what was free after loading
_TRIM_EVERY = 200  # steps
_IDLE = 30.0  # seconds
_TOKENS_A_TURN = 110  # of a 256x192 picture with its turn, until a real one is known


class VlmDevice:
    """Used from the queue's thread alone, `streams` and `room` apart."""

    def __init__(self, engine: Engine, actions: Actions) -> None:
        self._engine, self._actions = engine, actions
        self._used: WeakKeyDictionary[Stream, float] = WeakKeyDictionary()
        self._counting = threading.Lock()  # sessions are opened on the loop, streams used on the device's thread
        self.tokens_a_turn = _TOKENS_A_TURN
        self._steps = 0
        self._budget = _SHARE * _free(engine.device)

    @property
    def packs(self) -> bool:
        """On a GPU a pass over eight turns takes little longer than over one; on a CPU every token costs the same."""
        return self._engine.packs and self._engine.keeps and self._engine.device.type == "cuda"

    def step(self, jobs: Sequence[Second]) -> None:
        """One pass for all; a job that cannot be fed or does not like the answer gets its own fault. Raises OutOfRoom."""
        self._steps += 1
        if self._steps % _TRIM_EVERY == 0:
            trim()
        fed = [(job, piece) for job in jobs if (piece := _piece(job)) is not None]
        if not fed:
            return
        marks = [job.stream.mark() for job, _ in fed]
        try:
            rows = self._actions.read(self._engine.forward([(job.stream, piece) for job, piece in fed]))
        except Exception as error:  # some streams may have moved on already, and a GPU's faults show only when it is read
            for (job, _), mark in zip(fed, marks, strict=True):
                job.stream.back_to(mark)
            if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):  # the latter: the CPU's allocator
                raise OutOfRoom from error
            raise
        for (job, _), row in zip(fed, rows, strict=True):
            with self._counting:
                self._used[job.stream] = time.monotonic()
            try:
                job.take(row)
            except Exception as error:
                job.fault = error

    def relieve(self, jobs: Sequence[Second]) -> bool:
        """Drop the stream that has been idle longest."""
        busy = {id(job.stream) for job in jobs}
        with self._counting:
            idle = [stream for stream in self._used if id(stream) not in busy and stream.bytes and not stream.dropped]
        if not idle:
            return False
        min(idle, key=lambda stream: self._used[stream]).drop()
        if self._engine.device.type == "cuda":
            torch.cuda.empty_cache()
        return True

    def check_room(self, tokens: int) -> None:
        """Raises Busy when a stream of so many tokens would not fit beside the present ones."""
        recently = time.monotonic() - _IDLE
        with self._counting:  # the idle give theirs up when it is needed
            held = sum(stream.bytes for stream, used in self._used.items() if used > recently)
        if held and held + tokens * self._engine.bytes_a_token > self._budget:
            raise Busy("The device's memory holds no further session. Please try again later, or choose the embedded decider.")


def _piece(job: Second) -> Piece | None:
    try:
        return job.next()
    except torch.OutOfMemoryError as error:  # pictures are prepared on the device too
        raise OutOfRoom from error
    except Exception as error:
        job.fault = error
        return None


def trim() -> None:
    """Tensors of ever other sizes leave holes in the C library's heap, 20 MB an hour; glibc can give them back."""
    with suppress(OSError, TypeError, AttributeError):  # other systems' libraries have no such thing
        ctypes.CDLL(None).malloc_trim(0)


def _free(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return 0.5 * float(psutil.virtual_memory().available)
