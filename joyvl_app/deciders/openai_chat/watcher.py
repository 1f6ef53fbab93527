"""One session behind servers that keep nothing: each second the chunk's conversation is sent, its beginning always the same."""

from __future__ import annotations

import asyncio
import base64
import random
from dataclasses import dataclass, replace

import cv2

from joyvl_app import dialect
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.conversation import Conversation, Exchange
from joyvl_app.deciders.openai_chat.asking import Message, Reply, TooLong, TooManyPictures, Unreachable, Wish, ask
from joyvl_app.deciders.openai_chat.pool import Endpoint, Pool
from joyvl_app.dialect.tokens import RESPONSE
from joyvl_app.domain import Decision, Evidence, Image, Moment, Respond, Silence, acts
from joyvl_app.errors import ProviderFailed
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings
from joyvl_app.sources.scaling import within

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90]
_AGAIN = (0.05, 0.3)  # seconds before another server is asked, by chance
_FIRST_SHARE = 0.6
_SOON = 1.0  # seconds within which a server that stands alone has failed fast enough to be asked twice


@dataclass(frozen=True)
class Said:
    """One second of the chunk as it was sent: the user's text and pictures (data URLs), and the reply."""

    text: str
    pictures: tuple[str, ...]
    reply: str = ""


class OpenAiWatcher(PlainWatcher):
    """A second that fails leaves no trace; its questions are asked again in the next."""

    def __init__(self, session_id: str, pool: Pool, clock: Clock, settings: Settings) -> None:
        super().__init__()
        self._id, self._pool, self._clock, self._settings = session_id, pool, clock, settings
        self._hushed = asyncio.Event()
        self._talk = Conversation(settings.reprime_frames, settings.prompt_file)
        self.reset()

    def reset(self) -> None:
        self._talk.reset()
        self._system = ""
        self._said: list[Said] = []
        self._must_open = True
        self._crowded: int | None = None

    def hush(self) -> None:
        self._hushed.set()

    async def aclose(self) -> None:
        self._pool.leave(self._id)

    async def decide(self, moment: Moment) -> Decision:
        if not self._talk.hear(moment):
            return Silence()
        self._hushed.clear()
        now = self._talk.exchange(moment)
        said = await self._tell(moment, now)
        reply = await self._clock.timed(self._unless_hushed(moment, said))
        decision = self._read(reply, moment) if reply else Silence()
        self._talk.commit(moment, now, decision)
        self._said.append(replace(said, reply=dialect.render(decision)))
        self._must_open = False
        return decision

    # --- what is sent ----------------------------------------------------------------------------------------------

    async def _tell(self, moment: Moment, now: Exchange) -> Said:
        """This second's turn; a new chunk is opened with the last seconds of the one before."""
        pictures = sum(len(said.pictures) for said in self._said) + len(now.images) - 1
        if not (self._must_open or self._talk.begins_chunk(moment) or pictures >= self._most_pictures()):
            return await self._pack(self._talk.turn(now), now.images)
        self._must_open = True  # until a second of the new chunk has succeeded
        self._system = self._talk.system(moment)
        crowded = self._crowded == moment.chunk_id
        context = "" if crowded else moment.context
        room = 0 if crowded else min(len(self._talk.recent), self._most_pictures() // 2)
        taken = self._talk.taken_along(room)
        turns = [*taken, now]
        texts = [self._talk.opening(moment, turns[0], context), *map(self._talk.turn, turns[1:])]
        said = [await self._pack(text, turn.images) for text, turn in zip(texts, turns, strict=True)]
        self._said = [replace(turn, reply=exchange.reply) for turn, exchange in zip(said, taken, strict=False)]
        return said[-1]

    async def _pack(self, text: str, images: tuple[Image, ...]) -> Said:
        pixels = self._settings.picture_pixels
        return Said(text, await asyncio.to_thread(lambda: tuple(_data_url(image, pixels) for image in images)))

    def _most_pictures(self) -> int:
        """Of the servers that may answer, the one that takes the fewest."""
        return min((self._settings.openai_frames, *(endpoint.most_pictures for endpoint in self._pool.endpoints)))

    def _messages(self, now: Said) -> list[Message]:
        messages: list[Message] = [{"role": "system", "content": self._system}]
        for said in self._said:
            messages += [_user(said), {"role": "assistant", "content": said.reply}]
        return [*messages, _user(now)]

    # --- asking ----------------------------------------------------------------------------------------------------

    async def _unless_hushed(self, moment: Moment, now: Said) -> Reply | None:
        """The reply; None when the user wants silence before it is there."""
        asking = asyncio.create_task(self._ask(moment, now))
        hushed = asyncio.create_task(self._hushed.wait())
        try:
            await asyncio.wait((asking, hushed), return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() and not hushed.done() else None
        finally:
            hushed.cancel()
            asking.cancel()
            await asyncio.gather(asking, hushed, return_exceptions=True)

    async def _ask(self, moment: Moment, now: Said) -> Reply:
        """The reply; with words where the model would be silent but the sensitivity wants it to speak."""
        messages = self._messages(now)
        deadline = asyncio.get_running_loop().time() + self._settings.openai_seconds
        wish = Wish(self._settings.temperature, self._settings.reply_tokens, deadline, self._must_open)
        try:
            reply, endpoint = await self._from_any(messages, wish)
        except (TooManyPictures, TooLong) as error:
            if isinstance(error, TooLong) and self._must_open:
                self._crowded = moment.chunk_id  # for the rest of this chunk it goes without memory
            self._must_open = True
            raise
        silent = isinstance(dialect.parse(reply.raw).decision, Silence)
        if reply.p_act is None or not silent or not endpoint.extras or not self._wants(moment, reply.p_act):
            return reply
        try:
            words = await ask(endpoint, messages, replace(wish, spoken=True), self._heard)
        except ProviderFailed:
            return reply  # the decision stands: it is silent
        begun = words.raw.lstrip().startswith(RESPONSE)
        return Reply(words.raw if begun else f"{RESPONSE} {words.raw}", reply.p_act)

    async def _from_any(self, messages: list[Message], wish: Wish) -> tuple[Reply, Endpoint]:
        """From the session's server, else from the next that answers in time. Raises what the last one raised."""
        tried: list[Endpoint] = []
        alone = len(self._pool.endpoints) == 1
        while True:
            endpoint = tried[0] if tried and alone else self._pool.pick(self._id, tried)
            began = asyncio.get_running_loop().time()
            share = 1.0 if alone else _FIRST_SHARE  # of the time left: another must have some too
            try:
                reply = await ask(
                    endpoint, messages, replace(wish, deadline=began + share * (wish.deadline - began)), self._heard
                )
            except Unreachable as error:
                self._pool.failed(endpoint, str(error))
                now = asyncio.get_running_loop().time()
                if wish.deadline - now < _AGAIN[1] or (alone and (tried or now - began > _SOON)):
                    raise
                tried.append(endpoint)
                await asyncio.sleep(random.uniform(*_AGAIN))
            else:
                self._pool.worked(endpoint)
                return reply, endpoint

    def _heard(self, raw: str) -> None:
        decision = dialect.parse(raw).decision
        if isinstance(decision, Respond):
            self.host.draft(decision.text)

    def _wants(self, moment: Moment, p_act: float) -> bool:
        return not moment.mute and acts(p_act, moment.sensitivity)

    # --- what came of it -------------------------------------------------------------------------------------------

    def _read(self, reply: Reply, moment: Moment) -> Decision:
        reading = dialect.parse(reply.raw, reply.p_act)
        p_act = reading.decision.p_act
        evidence = Evidence(tags=(("p_act", p_act), ("pictures", float(len(self._said) + 1))))
        self.host.wrote(reply.raw, reading.parsed)
        if not self._wants(moment, p_act):
            return Silence(p_act, evidence)
        return replace(reading.decision, evidence=evidence)


def _user(said: Said) -> Message:
    parts: list[dict[str, object]] = [{"type": "text", "text": said.text}]
    parts += [{"type": "image_url", "image_url": {"url": url}} for url in said.pictures]
    return {"role": "user", "content": parts}


def _data_url(image: Image, pixels: int) -> str:
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(within(image, pixels), cv2.COLOR_RGB2BGR), _JPEG)
    if not done:
        raise ProviderFailed("This picture cannot be packed for the model server.")
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
