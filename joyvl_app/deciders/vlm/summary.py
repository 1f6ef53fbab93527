"""The interaction model as its own summariser: a turn that must speak, on a stream of its own that is given back at once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from joyvl_app import dialect
from joyvl_app.deciders.vlm.actions import Sampling
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.second import Second
from joyvl_app.deciders.vlm.stream import Stream
from joyvl_app.deciders.vlm.watcher import Model
from joyvl_app.dialect.summaries import summary_request
from joyvl_app.domain import Respond, Segment
from joyvl_app.errors import ProviderFailed
from joyvl_app.ports import Provider

_PICTURES = 8
_ROOM = 2  # times the tokens that are wanted: what is longer is cut


class VlmSummarizer(Provider):
    """Waits its turn in the device's queue like any second, so a summary never holds up more than one step."""

    sees = True

    def __init__(self, model: Model) -> None:
        self._model = model
        self._numbers = itertools.count(1)

    async def summarize(self, segment: Segment) -> str:
        """Raises ProviderFailed when the model writes nothing, or has no room for it."""
        stream = Stream()
        try:
            second = await self._model.queue.run(f"summary {next(self._numbers)}", lambda: self._second(segment, stream))
        finally:
            stream.drop()
        decision = dialect.parse(second.raw, 1.0).decision if second else None
        if not isinstance(decision, Respond) or not decision.text:
            raise ProviderFailed("The model wrote no summary.")
        return decision.text

    def _second(self, segment: Segment, stream: Stream) -> Second:
        engine, frames = self._model.engine, segment.frames
        step = max(1, -(-len(frames) // _PICTURES))
        images = [frame.image for frame in frames[::step]] if engine.framing.takes_several else []
        asked = engine.disarmed(summary_request(segment))

        def prompt(pending: Sequence[int], lead: Sequence[int]) -> Piece:
            text = engine.framing.of(len(images)).first(dialect.system_prompt(segment.language), asked)
            return engine.inputs.piece(pending, text, lead, images)

        wanted = Sampling(0.0, _ROOM * segment.most_tokens)
        return Second(
            engine, self._model.actions, wanted, random.Random(0), stream, prompt, lambda p: True, lambda raw: None
        )  # fmt: skip
