"""Pools of processes that do not outlive the one that started them, however it ended."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from threading import Thread

_LOOK_EVERY = 2.0  # seconds


def process_pool(processes: int) -> ProcessPoolExecutor:
    """Spawned, so that no thread or lock of a library is inherited half-way."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=leave_with_parent)


def leave_with_parent(_: int = 0) -> None:
    """End this process once its parent is gone: after kill -9 a worker would wait for ever to hand over what it made."""
    Thread(target=_watch, args=(os.getppid(),), name="leave-with-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os._exit(1)
