"""The brain of a bare machine: it says that none is connected, and never makes an answer up."""

from __future__ import annotations

from joyvl_app.domain import Answer, Delegation
from joyvl_app.ports import Errand, Provider, SessionTools


class CannedBrain(Provider):
    """Fails every question honestly and at once."""

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer:
        card = "Questions that need a mind stay open until a brain is connected."
        return Answer(task.id, "failed", "No brain is connected here, so I cannot answer that.", card)
