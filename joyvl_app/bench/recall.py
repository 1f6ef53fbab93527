"""`bench recall`: questions about slides that were shown six minutes before, answered by the default brain from memory."""

from __future__ import annotations

import asyncio

from joyvl_app.bench import Result
from joyvl_app.evals.lectures import Recalled, recall_all

_TARGETS = {"recalled": (">=", 0.85), "pairs": (">=", 20.0)}


def measure() -> Result:
    """Watches eight rendered lectures of more than seven minutes each; takes about three minutes of two cores."""
    told = [*asyncio.run(recall_all("test")), *asyncio.run(recall_all("held"))]
    for one in told:
        print(f"{'right' if one.right else 'WRONG'}  {one.ask.ask}  →  {one.answer}")
    return Result(_figures(told), _TARGETS)


def _figures(told: list[Recalled]) -> dict[str, float]:
    right = sum(one.right for one in told)
    return {"pairs": float(len(told)), "right": float(right), "recalled": right / len(told)}
