"""Benchmarks, one a file. A benchmark is a function that returns figures and their targets."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from operator import ge, le

_OPERATORS: dict[str, Callable[[float, float], bool]] = {"<=": le, ">=": ge}

# name → module with a function `measure() -> Result`, imported when asked for
BENCHES: dict[str, str] = {
    **{
        name: f"joyvl_app.bench.{name}"
        for name in ("embedded", "metrics", "vlm", "queue", "gate", "voice", "memory", "recall", "train")
    },
    "rating": "eval_ui.bench",
}


@dataclass
class Result:
    """What one run measured, and the bounds it should keep: name → (operator, bound)."""

    figures: dict[str, float] = field(default_factory=dict)
    targets: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Every target has a figure that keeps it."""
        return all(
            name in self.figures and _OPERATORS[operator](self.figures[name], bound)
            for name, (operator, bound) in self.targets.items()
        )


def run_bench(name: str) -> bool:
    """Run one benchmark and print its JSON line; returns whether every target was met."""
    result: Result = import_module(BENCHES[name]).measure()
    line = {
        "name": name,
        "figures": {key: round(value, 3) for key, value in result.figures.items()},
        "targets": {key: list(target) for key, target in result.targets.items()},
        "ok": result.ok,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
    }
    print(json.dumps(line, ensure_ascii=False))
    return result.ok
