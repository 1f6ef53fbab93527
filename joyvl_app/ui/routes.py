"""What the page asks of the server: open a session, stream to it, steer it, follow its events, fetch its log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from joyvl_app.api.guard import refuse_foreign_pages
from joyvl_app.errors import BadInput
from joyvl_app.memory.gallery import encode
from joyvl_app.parts import Controls
from joyvl_app.scenario import MAX_INSTRUCTION, check_instruction, pick_scenario
from joyvl_app.ui.desk import Desk, Seat
from joyvl_app.ui.owner import give_owner, owner_of
from joyvl_app.ui.pictures import jpeg, read_picture
from joyvl_app.ui.rtc import Rtc
from joyvl_app.ui.text import catalogue
from joyvl_app.ui.turn import page_configuration
from joyvl_app.voice import SPEEDS, VOLUMES

_HEARTBEAT = 10.0  # seconds; a silent proxy would close the stream
_SDP_CHARS = 200_000

Language = Literal["en", "zh"]


class Opening(BaseModel):
    scenario: str = Field(max_length=64)
    instruction: str = Field(default="", max_length=100_000)
    sensitivity: float = Field(default=0.0, ge=-4, le=4)
    language: Language = "en"
    source: Literal["camera", "screen", "sample", "upload"] = "sample"
    decider: str = Field(default="", max_length=64)
    voice: str = Field(default="", max_length=64)
    voiced: bool = True
    pictures: bool = False
    speed: float = Field(default=1.0, ge=SPEEDS[0], le=SPEEDS[1])


class Word(BaseModel):
    """The user's word on what a brain wants to do."""

    id: str = Field(max_length=32)
    request: int = Field(ge=0)
    granted: bool


class Change(BaseModel):
    """What the user changed; absent means unchanged. Too long a text is refused by the session, with its own words."""

    instruction: str | None = Field(default=None, max_length=100_000)
    sensitivity: float | None = Field(default=None, ge=-4, le=4)
    language: Language | None = None
    action: Literal["pause", "resume", "stop", "interrupt", "finish_turn"] | None = None
    ended: int | None = Field(default=None, ge=0)
    allow: Word | None = None
    tell: str | None = Field(default=None, max_length=32)
    pictures: bool | None = None
    cancel: str | None = Field(default=None, max_length=32)
    decider: str | None = Field(default=None, max_length=64)
    voice: str | None = Field(default=None, max_length=64)
    voiced: bool | None = None
    speed: float | None = Field(default=None, ge=SPEEDS[0], le=SPEEDS[1])
    volume: float | None = Field(default=None, ge=VOLUMES[0], le=VOLUMES[1])


class Sentence(BaseModel):
    text: str = Field(max_length=100_000)


class Offer(BaseModel):
    sdp: str = Field(max_length=_SDP_CHARS)
    connection: str = Field(pattern=r"^[\w-]{1,32}$")


def _own_seat(session_id: str, request: Request) -> Seat:
    desk: Desk = request.app.state.desk
    return desk.seat(owner_of(request), session_id)


Mine = Annotated[Seat, Depends(_own_seat)]


def make_router(desk: Desk, rtc: Rtc) -> APIRouter:
    """All routes under /joyvl; every one of a session is filtered by the browser's owner cookie."""
    router = APIRouter(prefix="/joyvl", dependencies=[Depends(refuse_foreign_pages)])

    @router.get("/page")
    async def page(request: Request, response: Response) -> dict[str, Any]:
        give_owner(request, response)
        scenarios = {key: scenario.model_dump(mode="json") for key, scenario in desk.scenarios.items()}
        return {
            "text": catalogue(),
            "scenarios": scenarios,
            "decider": {**asdict(desk.choice), "offered": desk.offered},
            "voice": {"name": desk.settings.synthesizer, "offered": desk.voices, "hears": desk.hears},
            "max_instruction": MAX_INSTRUCTION,
            "memory": desk.archive is not None,
            "space": desk.settings.on_space,
            "brain": desk.brain,
        }

    @router.get("/relay")
    async def relay(request: Request) -> dict[str, Any]:
        if not owner_of(request):
            raise BadInput("Open the page first: a relay's credentials are for its visitors.")
        return await page_configuration(desk.settings)

    @router.post("/sessions")
    async def open_session(opening: Opening, request: Request, response: Response) -> dict[str, Any]:
        scenario = pick_scenario(desk.scenarios, opening.scenario)
        check_instruction(opening.instruction)
        controls = Controls(
            opening.instruction.strip(), opening.sensitivity, opening.language, scenario.persona.in_language(opening.language),
            voiced=opening.voiced, pictures=opening.pictures, speed=opening.speed, **scenario.voice.model_dump(),
        )  # fmt: skip
        seat = desk.open(give_owner(request, response), scenario, controls, opening.source, opening.decider, opening.voice)
        return {"id": seat.session.id, "epoch": seat.epoch}

    @router.post("/sessions/{session_id}/offer")
    async def offer(body: Offer, seat: Mine) -> dict[str, Any]:
        return await rtc.answer(seat.session, body.connection, body.sdp)

    @router.post("/sessions/{session_id}/frame", status_code=204)
    async def picture(request: Request, seat: Mine) -> None:
        seat.session.see(await read_picture(request, seat.session.clock.now(), desk.settings.frame_max_side))

    @router.post("/sessions/{session_id}/say")
    async def say(sentence: Sentence, seat: Mine) -> dict[str, str]:
        return {"intent": seat.session.hear(sentence.text).value}

    @router.post("/sessions/{session_id}/change", status_code=204)
    async def change(change: Change, seat: Mine) -> None:
        if change.decider is not None:
            desk.switch(seat, change.decider)
        if change.voice is not None:
            desk.speak_with(seat, change.voice)
        _apply(change, seat)
        if change.action == "stop":
            await rtc.hang_up(seat.session.id)

    @router.get("/sessions/{session_id}/picture")
    async def kept_picture(seat: Mine, t: Annotated[float, Query(ge=0, le=1e7)]) -> Response:
        """The key frame nearest to second `t` of a running session, for an answer's card."""
        frame = await seat.session.memory.frame_near(t)
        if frame is None:
            raise BadInput("There is no picture from that time any more.")
        return jpeg(await asyncio.to_thread(encode, frame.image))

    @router.get("/sessions/{session_id}/events")
    async def events(request: Request, seat: Mine) -> StreamingResponse:
        after = request.headers.get("last-event-id", "0")
        lines = _event_stream(seat, int(after) if after.isascii() and after.isdigit() and len(after) < 12 else 0)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    @router.get("/sessions/{session_id}/log")
    async def log(session_id: str, request: Request) -> StreamingResponse:
        path = desk.log_path(owner_of(request), session_id)
        headers = {"Content-Disposition": f'attachment; filename="joyvl-{session_id[:8]}.jsonl"'}
        return StreamingResponse(_whole_lines(path), media_type="application/jsonl", headers=headers)

    return router


def _apply(change: Change, seat: Seat) -> None:
    session = seat.session
    if change.instruction is not None:
        session.instruct(change.instruction)
    if change.sensitivity is not None:
        session.controls.sensitivity = change.sensitivity
    if change.language is not None:
        session.controls.language = change.language
    if change.speed is not None:
        session.controls.speed = change.speed
    if change.volume is not None:
        session.controls.volume = change.volume
    if change.voiced is not None:
        session.voice.be_silent(not change.voiced)
    if change.ended is not None:
        session.voice.ended_elsewhere(change.ended)
    if change.allow:
        session.delegations.decide(change.allow.id, change.allow.request, change.allow.granted)
    if change.tell is not None:
        session.tell_answer(change.tell)
    if change.pictures is not None:
        session.controls.pictures = change.pictures
    if change.cancel:
        session.delegations.cancel(change.cancel)
    if change.action:
        getattr(session.voice if change.action == "finish_turn" else session, change.action)()


async def _event_stream(seat: Seat, after: int) -> AsyncIterator[str]:
    """Server-sent events: the number of an event is its id, so a page that reconnects misses nothing."""
    queue = seat.session.log.listen(after)
    seat.streams += 1
    try:
        yield "retry: 1000\n\n"
        while True:
            try:
                item = await asyncio.wait_for(queue.get(), _HEARTBEAT)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if item is None:
                yield "event: end\ndata: {}\n\n"
                return
            number = f"id: {item[0]}\n" if item[0] else ""  # what is only shown is not asked for again
            yield f"{number}data: {item[1].model_dump_json()}\n\n"
    finally:
        seat.session.log.unlisten(queue)
        seat.streams -= 1
        seat.left_at = time.monotonic()


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The log as it is now, up to its last whole line: it may be growing while it is read."""
    left = path.stat().st_size
    with path.open("rb") as file:
        while left > 0 and (line := file.readline(left)).endswith(b"\n"):
            left -= len(line)
            yield line
