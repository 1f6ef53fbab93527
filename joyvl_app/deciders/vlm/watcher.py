"""One session of the model: each second's new turn goes behind what it has seen of this chunk."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from joyvl_app import dialect
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.conversation import Conversation, Exchange, outgrows
from joyvl_app.deciders.queue import DeviceQueue
from joyvl_app.deciders.vlm.actions import Actions, Sampling
from joyvl_app.deciders.vlm.device import VlmDevice
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.second import Outgrown, Second
from joyvl_app.deciders.vlm.stream import Stream
from joyvl_app.domain import Decision, Evidence, Image, Moment, Respond, Silence, acts
from joyvl_app.settings import Settings

_LONG_WAIT, _TELL_EVERY = 1.0, 60.0  # seconds
_ALL = 1_000


@dataclass(frozen=True)
class Model:
    """What all sessions share."""

    engine: Engine
    actions: Actions
    device: VlmDevice
    queue: DeviceQueue[Second]
    prompt_file: Path | None = None  # the user's, else the one that the checkpoint brings along


class VlmWatcher(PlainWatcher):
    """A second that fails or is cancelled leaves no trace: the stream goes back, and its question is asked again in the next."""

    def __init__(self, session_id: str, model: Model, settings: Settings) -> None:
        super().__init__()
        self._id, self._model, self._settings = session_id, model, settings
        self._sampling = Sampling(settings.temperature, settings.reply_tokens)
        self._chance = random.Random(session_id)
        kept = settings.stateless_frames - 1 if settings.stateless else settings.reprime_frames
        self._talk = Conversation(kept, model.prompt_file)
        self._stream: Stream | None = None
        self._second: Second | None = None
        self._crowded: int | None = None  # the chunk whose opening did not fit: without memory it may
        self._chunk = 0
        self._turn_tokens = 0
        self._told_late = -_TELL_EVERY
        self._hushed = False
        self._waited = 0.0

    def reset(self) -> None:
        self._drop()
        self._talk.reset()
        self._crowded = None

    def hush(self) -> None:
        self._hushed = True  # also for a second that still waits its turn
        if self._second:
            self._second.hush()

    async def aclose(self) -> None:
        self._drop()
        self._model.queue.leave(self._id)

    async def decide(self, moment: Moment) -> Decision:
        if not self._talk.hear(moment):
            return Silence()
        self._hushed = False
        asked_t = time.monotonic()
        shown: list[tuple[Moment, Exchange]] = []

        def begin() -> Second:
            """When the device has time: from the moment as it is then."""
            renewed = self.host.renew(moment)
            self._tell_if_late(renewed.t - moment.t, renewed.t)
            self._talk.hear(renewed, known=len(moment.heard))
            shown[:] = [(renewed, self._talk.exchange(renewed))]
            self._waited = time.monotonic() - asked_t
            self._second = self._begin(*shown[0])
            if self._hushed:
                self._second.hush()
            return self._second

        try:
            second = await self._model.queue.run(self._id, begin)
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._second = None
        return self._settle(second, *shown[0]) if second else Silence()

    def _tell_if_late(self, waited: float, t: float) -> None:
        """Once a minute: the person should know that it is the crowd, not the scene, that makes it slow."""
        if waited >= _LONG_WAIT and t - self._told_late >= _TELL_EVERY:
            self._told_late = t
            sessions = int(self._model.queue.report()["sessions"])
            self.host.tell(f"The model is busy with {sessions} sessions: some seconds are skipped.")

    def _give_up(self, error: BaseException) -> None:
        """A stream that never got its opening, or has no room for another second, is of no use."""
        empty = self._stream is not None and self._stream.length == 0
        if isinstance(error, Outgrown):
            self._crowded = self._chunk if empty else self._crowded
        if empty or isinstance(error, Outgrown):
            self._drop()

    # --- what the model is told ------------------------------------------------------------------------------------

    def _begin(self, moment: Moment, now: Exchange) -> Second:
        fresh = self._must_begin_anew(moment)
        if fresh or self._stream is None:
            self._drop()
            self._stream = Stream()
        self._chunk = moment.chunk_id
        before = self._talk.taken_along(_ALL) if fresh and self._crowded != self._chunk else ()
        stream, engine = self._stream, self._model.engine

        def prompt(pending: Sequence[int], lead: Sequence[int]) -> Piece:
            text = self._whole(moment, before, now) if fresh else self._turn(now)
            images = [image for exchange in (*before, now) for image in self._shown(exchange)]
            piece = engine.inputs.piece(pending, text, lead, images)
            self._turn_tokens = 0 if fresh else min(piece.count, self._turn_tokens or piece.count)
            if not fresh and not stream.expected:  # the first turn that is only a turn tells how large the chunk will be
                stream.expected = min(engine.context, stream.length + piece.count * self._settings.chunk_seconds)
                self._model.device.tokens_a_turn = piece.count
            return piece

        return Second(
            engine, self._model.actions, self._sampling, self._chance, stream, prompt,
            lambda p: not moment.mute and acts(p, moment.sensitivity), self._draft,
        )  # fmt: skip

    def _must_begin_anew(self, moment: Moment) -> bool:
        if self._stream is None or self._stream.dropped or self._settings.stateless:
            return True
        full = outgrows(self._stream.length, self._turn_tokens, self._sampling.most, self._model.engine.context)
        return full or self._talk.begins_chunk(moment)

    def _whole(self, moment: Moment, before: Sequence[Exchange], now: Exchange) -> str:
        """The whole text of a fresh stream: instructions, memory, the seconds taken along, this second."""
        first = (*before, now)[0]
        frame = self._model.engine.framing.of(len(self._shown(first)))
        opening = self._talk.opening(moment, first, "" if self._crowded == moment.chunk_id else moment.context)
        text = frame.first(self._talk.system(moment), self._model.engine.disarmed(opening))
        for exchange, following in zip(before, (*before, now)[1:], strict=True):
            text += exchange.reply + self._turn(following)
        return text

    def _turn(self, exchange: Exchange) -> str:
        return self._model.engine.framing.of(len(self._shown(exchange))).later(
            self._model.engine.disarmed(self._talk.turn(exchange))
        )

    def _shown(self, exchange: Exchange) -> tuple[Image, ...]:
        return exchange.images if self._model.engine.framing.takes_several else exchange.images[-1:]

    # --- what came of it -------------------------------------------------------------------------------------------

    def _settle(self, second: Second, moment: Moment, now: Exchange) -> Decision:
        decision = self._read(second)
        self._talk.commit(moment, now, decision)
        if self._settings.stateless:
            self._drop()
        return decision

    def _read(self, second: Second) -> Decision:
        evidence = Evidence(tags=(("p_act", second.p_act), ("tokens", float(second.stream.length)), ("waited", self._waited)))
        reading = dialect.parse(second.raw, second.p_act)
        self.host.wrote(second.raw, reading.parsed)
        if not second.spoke:
            return Silence(second.p_act, evidence)
        if isinstance(reading.decision, Silence):  # stray text, or an action without words
            second.retract()
        return replace(reading.decision, evidence=evidence)

    def _draft(self, raw: str) -> None:
        decision = dialect.parse(raw).decision
        if isinstance(decision, Respond) and decision.text:
            self.host.draft(decision.text)

    def _drop(self) -> None:
        if self._stream:
            self._stream.drop()
        self._stream = None
