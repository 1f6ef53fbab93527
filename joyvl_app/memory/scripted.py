"""A summariser that only counts: known text for demos and tests."""

from __future__ import annotations

from joyvl_app.domain import Respond, Segment
from joyvl_app.ports import Provider


class ScriptedSummarizer(Provider):
    sees = False

    async def summarize(self, segment: Segment) -> str:
        spoken = sum(isinstance(decision, Respond) for _, decision in segment.decisions)
        return f"{len(segment.decisions)} seconds watched, {spoken} times spoken."
