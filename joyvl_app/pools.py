"""Pools of processes that do not outlive the one that started them, however it ended."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def process_pool(processes: int) -> ProcessPoolExecutor:
    """Spawned, so that no thread or lock of a library is inherited half-way."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=leave_with_parent)


def leave_with_parent(_: int = 0) -> None:
    """End this process once its parent is gone: after kill -9 a worker would wait for ever to hand over what it made."""
    Thread(target=_watch, name="leave-with-parent", daemon=True).start()


def _watch() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
