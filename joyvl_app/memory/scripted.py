"""A summariser that only counts: known text for demos and tests."""

from __future__ import annotations

from joyvl_app.domain import Respond, Segment


class ScriptedSummarizer:
    sees = False

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def summarize(self, segment: Segment) -> str:
        spoken = sum(isinstance(decision, Respond) for _, decision in segment.decisions)
        return f"{len(segment.decisions)} seconds watched, {spoken} times spoken."
