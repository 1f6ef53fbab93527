"""The brain of a bare machine: it says that none is connected, and never makes an answer up."""

from __future__ import annotations

from collections.abc import Callable

from joyvl_app.domain import Answer, Delegation
from joyvl_app.ports import SessionTools


class CannedBrain:
    """Fails every question honestly and at once."""

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def solve(self, task: Delegation, tools: SessionTools, report: Callable[[str], None]) -> Answer:
        card = (
            f"**Not answered:** {task.question}\n\nNo brain is connected on this machine, so questions that need one stay open."
        )
        return Answer(task.id, "failed", "No brain is connected here, so I cannot answer that.", card)
