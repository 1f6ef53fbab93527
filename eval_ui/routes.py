"""What the Rate page asks of the server. Names of systems are in nothing that these routes answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from eval_ui import ballots, votes
from eval_ui.ballots import Course, Given, Rater
from eval_ui.drawing import plan
from eval_ui.house import House
from eval_ui.starter import Starter
from eval_ui.studies import ID, Answer
from eval_ui.votes import MOST_COMMENT, Ballot
from joyvl_app.api.guard import refuse_foreign_pages
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.store.models import StudyRow
from joyvl_app.ui.owner import give_owner, owner_of
from joyvl_app.ui.text import catalogue

R = TypeVar("R")
_THINKING = 25.0  # seconds of an item beyond its clip, before the rater's own pace is known
_DAY = 86_400.0
_Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
StudyPath = Annotated[str, Path(pattern=rf"^{ID}$")]
_Number = Annotated[int, Path(ge=0, le=10_000)]


class Joining(BaseModel):
    consent: Literal[True]
    code: str = Field(default="", max_length=64)


class Vote(BaseModel):
    """`submission` is drawn by the page for each form: however often it is sent, it is one vote."""

    assignment: _Token
    submission: _Token
    quality: Answer
    timing: Answer
    overall: Answer
    comment: str = Field(default="", max_length=MOST_COMMENT)
    watched: tuple[Annotated[float, Field(ge=0, le=_DAY)], Annotated[float, Field(ge=0, le=_DAY)]]
    spent: float = Field(ge=0, le=365 * _DAY)
    device: votes.Device = "unknown"
    replaces: int | None = Field(default=None, ge=0)


class Skipped(BaseModel):
    assignment: _Token


def make_rating_router(house: House, starter: Starter, results: bool) -> APIRouter:
    """All routes of raters; each sees what is theirs alone, by the browser's owner cookie. `results`: there is a Results tab."""
    router = APIRouter(prefix="/rating", dependencies=[Depends(refuse_foreign_pages)])

    async def as_rater(request: Request, study: str, work: Callable[[Connection, Rater], R], writing: bool = True) -> R:
        def known(connection: Connection) -> R:
            rater = ballots.rater_of(connection, study, owner_of(request))
            if rater is None:
                raise BadInput("This browser has not joined the study, or its cookie is gone. Reload the page and begin.")
            return work(connection, rater)

        return await (house.write(known) if writing else house.read(known))

    @router.get("/page")
    async def page(request: Request, response: Response) -> dict[str, Any]:
        """The words of the page, and the studies that can be taken part in."""
        give_owner(request, response)
        await starter.begin()
        studies = await house.read(lambda connection: _listed(connection, owner_of(request)))
        faults = {"refused": house.refusal} if house.refusal else {}
        return {"text": catalogue(), "studies": studies, "starter": starter.state, "results": results, **faults}

    @router.post("/studies/{study}/join")
    async def join(study: StudyPath, joining: Joining, request: Request, response: Response) -> dict[str, Any]:
        house.refuse_fleeting()
        owner = give_owner(request, response)
        rater = await house.write(lambda connection: ballots.join(connection, study, owner, joining.code, time.time()))
        return {"rater": rater.number}

    @router.post("/studies/{study}/next")
    async def following(study: StudyPath, request: Request) -> dict[str, Any]:
        def draw(connection: Connection, rater: Rater) -> tuple[Given | None, dict[str, Any]]:
            body = ballots.open_study(connection, study, "alone")
            course = ballots.course_of(connection, rater, body)
            return ballots.give(connection, rater, course, time.time()), _progress(rater, course, body)

        item, progress = await as_rater(request, study, draw)
        return {"item": _item(item) if item else None, **progress}

    @router.get("/studies/{study}/items/{number}")
    async def again(study: StudyPath, number: _Number, request: Request) -> dict[str, Any]:
        def look(connection: Connection, rater: Rater) -> dict[str, Any]:
            body = ballots.open_study(connection, study)
            progress = _progress(rater, ballots.course_of(connection, rater, body), body)
            return {"item": _item(ballots.given(connection, rater, number)), **progress}

        return await as_rater(request, study, look, writing=False)

    @router.post("/studies/{study}/votes")
    async def vote(study: StudyPath, vote: Vote, request: Request) -> dict[str, Any]:
        house.refuse_fleeting()
        ballot = Ballot(**vote.model_dump())
        revision = await as_rater(request, study, lambda c, rater: votes.cast(c, rater, ballot, time.time()))
        return {"revision": revision}

    @router.post("/studies/{study}/skip", status_code=204)
    async def skip(study: StudyPath, skipped: Skipped, request: Request) -> None:
        await as_rater(request, study, lambda connection, rater: ballots.skip(connection, rater, skipped.assignment))

    @router.get("/media/{token}")
    async def media(token: _Token) -> FileResponse:
        """A side's clip under an address that means nothing; the headers tell nothing of the file either."""
        name = await house.read(lambda connection: ballots.media_of(connection, token))
        if name is None:
            raise BadInput("There is no such clip.")
        if (path := await house.clip(name)) is None:
            raise ProviderFailed("This clip is missing on the server. Please tell whoever runs the study; your votes are safe.")
        kind = "video/webm" if name.endswith(".webm") else "video/mp4"
        headers = {
            "ETag": f'"{token}"',
            "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
            "Cache-Control": "private, max-age=86400",
        }
        return FileResponse(path, media_type=kind, headers=headers)

    return router


def _listed(connection: Connection, owner: str) -> list[dict[str, Any]]:
    """What can be taken part in, and closed studies that this browser took part in."""
    rows = connection.execute(select(StudyRow).order_by(StudyRow.created)).all()
    told = [_about(connection, row, ballots.rater_of(connection, row.id, owner)) for row in rows]
    return [study for study in told if study["open"] or study["joined"]]


def _about(connection: Connection, row: Any, rater: Rater | None) -> dict[str, Any]:
    """A study as its raters see it, and how far this one has come."""
    body = json.loads(row.body)
    shown = {name: body[name] for name in ("title", "consent", "guide", "blind")}
    told = {**shown, "id": row.id, "open": row.state == "open", "joined": rater is not None, "code": body["invitation"]}
    if rater:
        return {**told, **_progress(rater, ballots.course_of(connection, rater, body), body)}
    total = len(plan(0, body["per_rater"], body["kinds"]))
    return {**told, "total": total, "done": 0, "minutes": total * (body["seconds"] + _THINKING) / 60, "completion": None}


def _progress(rater: Rater, course: Course, body: dict[str, Any]) -> dict[str, Any]:
    each = median(course.pace) if course.pace else body["seconds"] + _THINKING
    total = len(course.order)
    minutes = max(0, total - course.voted) * each / 60
    completion = (body["completion"] or rater.completion) if course.done else None
    return {"total": total, "done": course.voted, "given": course.given, "minutes": minutes, "completion": completion}


def _item(given: Given) -> dict[str, Any]:
    """What the page shows: no name, no kind (but practice), no order of systems."""
    body = given.body
    sides = [
        {"media": f"/rating/media/{token}", "seconds": side["seconds"], "turns": side["turns"], "sound": side["sound"]}
        for token, side in zip((given.left, given.right), given.sides, strict=True)
    ]
    return {
        "assignment": given.id, "number": given.number, "practice": given.kind == "practice", "instruction": body["instruction"],
        "language": body["language"], "asked": body["asked"], "sides": sides, "vote": given.vote,
    }  # fmt: skip
