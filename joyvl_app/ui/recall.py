"""The memory of one browser, over HTTP: search it, look at a moment, its picture, its log; forget a session or everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from joyvl_app.api.guard import refuse_foreign_pages
from joyvl_app.errors import BadInput
from joyvl_app.memory.archive import Archive
from joyvl_app.store.values import Hit
from joyvl_app.ui.desk import Desk
from joyvl_app.ui.owner import owner_of
from joyvl_app.ui.pictures import jpeg

_LONGEST = 300  # characters of what is searched for
Words = Annotated[str, Query(max_length=_LONGEST)]
Second = Annotated[float, Query(ge=0, le=1e7)]
Number = Annotated[int, Path(ge=0, lt=2**63)]
Wall = Annotated[float | None, Query(ge=0, le=1e11)]


def make_memory_router(desk: Desk) -> APIRouter:
    """All routes under /joyvl/memory; every one is filtered by the browser's owner cookie."""
    router = APIRouter(prefix="/joyvl/memory", dependencies=[Depends(refuse_foreign_pages)])

    def archive() -> Archive:
        if desk.archive is None:
            raise BadInput("Nothing is remembered here beyond a session (JOYVL_ARCHIVE=off).")
        return desk.archive

    @router.get("/search")
    async def search(
        request: Request, q: Words = "", scenario: Words = "", since: Wall = None, until: Wall = None
    ) -> dict[str, Any]:  # fmt: skip
        await archive().settle()
        found = await archive().search(owner_of(request), q, scenario=scenario, since=since, until=until)
        return {"found": list(_hits(found)), "fault": archive().fault}

    @router.get("/sessions")
    async def sessions(request: Request) -> dict[str, Any]:
        await archive().settle()
        watched = await archive().sessions(owner_of(request))
        return {"sessions": [{**asdict(session), "id": str(session.id)} for session in watched], "fault": archive().fault}

    @router.get("/sessions/{session_id}/around")
    async def around(request: Request, session_id: Number, t: Second) -> dict[str, Any]:
        return {"found": list(_hits(await archive().around(owner_of(request), session_id, t)))}

    @router.get("/sessions/{session_id}/picture")
    async def picture(request: Request, session_id: Number, t: Second) -> Response:
        frame = await archive().frame(owner_of(request), session_id, t)
        if frame is None:
            raise BadInput("No picture was kept from that time.")
        return jpeg(frame.jpeg)

    @router.get("/sessions/{session_id}/log")
    async def log(request: Request, session_id: Number) -> PlainTextResponse:
        lines = await archive().events(owner_of(request), session_id)
        headers = {"Content-Disposition": f'attachment; filename="joyvl-{session_id}.jsonl"'}
        return PlainTextResponse("\n".join([*lines, ""]), media_type="application/jsonl", headers=headers)

    @router.delete("/sessions/{session_id}", status_code=204)
    async def forget(request: Request, session_id: Number) -> None:
        archive()
        await desk.forget(owner_of(request), session_id)

    @router.delete("/mine")
    async def forget_me(request: Request) -> dict[str, int]:
        archive()
        return {"forgotten": await desk.forget(owner_of(request))}

    return router


def _hits(found: Iterable[Hit]) -> Iterable[dict[str, Any]]:
    """Session numbers as text: they are larger than a page's numbers are exact."""
    for hit in found:
        told = {**asdict(hit), "session_id": str(hit.session_id)}
        del told["words"]
        yield told
