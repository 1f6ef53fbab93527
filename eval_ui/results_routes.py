"""What the Results page asks of the server: nothing is answered without the password."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from eval_ui.house import House
from eval_ui.keeping import list_studies
from eval_ui.password import Gate
from eval_ui.routes import StudyPath
from eval_ui.studies import QUESTIONS
from eval_ui.tally import OUTCOMES, Tally, read_tally
from joyvl_app.api.guard import refuse_foreign_pages
from joyvl_app.errors import BadInput
from joyvl_app.ui.owner import is_https

_MOST_VOTES = 500  # listed at once


class Entering(BaseModel):
    password: str = Field(max_length=500)


def make_results_router(house: House, gate: Gate) -> APIRouter:
    """All routes of whoever runs studies."""
    router = APIRouter(prefix="/rating/results", dependencies=[Depends(refuse_foreign_pages)])

    @router.post("/enter", status_code=204)
    async def enter(entering: Entering, request: Request, response: Response) -> None:
        gate.enter(entering.password, _address(request, house.settings.on_space), response, is_https(request))

    @router.get("/studies")
    async def studies(request: Request) -> list[dict[str, Any]]:
        gate.check(request)
        return await house.read(list_studies)

    @router.get("/{study}")
    async def of_study(study: StudyPath, request: Request, with_flagged: bool = False) -> dict[str, Any]:
        gate.check(request)
        tally = await house.read(lambda connection: read_tally(connection, study))
        from eval_ui.results import results  # its statistics load slowly, and few ever ask

        return await asyncio.to_thread(results, tally, with_flagged)

    @router.get("/{study}/votes")
    async def votes(
        study: StudyPath,
        request: Request,
        aspect: Annotated[str, Query(max_length=80)] = "",
        opponent: Annotated[str, Query(max_length=80)] = "",
        question: Annotated[str, Query(max_length=20)] = "overall",
        outcome: Annotated[str, Query(max_length=20)] = "",
        comparison: int = 0,
        rater: int = 0,
        with_flagged: bool = False,
    ) -> dict[str, Any]:
        """The votes behind a number."""
        gate.check(request)
        if question not in QUESTIONS or (outcome and outcome not in OUTCOMES):
            raise BadInput(f"A question is one of {', '.join(QUESTIONS)}, an outcome one of {', '.join(OUTCOMES)}.")
        wanted = {"aspect": aspect, "opponent": opponent, "comparison": comparison, "rater": rater}
        tally = await house.read(lambda connection: read_tally(connection, study))
        return _found(tally, {name: value for name, value in wanted.items() if value}, question, outcome, with_flagged)

    @router.get("/{study}/export.zip")
    async def export(study: StudyPath, request: Request, names: bool = False) -> Response:
        gate.check(request)
        tally = await house.read(lambda connection: read_tally(connection, study))
        from eval_ui.exporting import zipped

        content = await asyncio.to_thread(zipped, tally, names)
        headers = {"Content-Disposition": f'attachment; filename="{study}-votes.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    return router


def _address(request: Request, proxied: bool) -> str:
    """Whose request this is; behind a Space's proxy, what that has seen (the last it added)."""
    seen = request.headers.get("x-forwarded-for", "").split(",")[-1].strip() if proxied else ""
    return seen or (request.client.host if request.client else "")


def _found(tally: Tally, wanted: dict[str, Any], question: str, outcome: str, with_flagged: bool) -> dict[str, Any]:
    """A rater's own page shows everything they said; the tables only what counts in them."""
    votes = tally.votes if "rater" in wanted else tally.rated(with_flagged)
    found = [
        vote for vote in votes
        if all(getattr(vote, name) == value for name, value in wanted.items()) and outcome in ("", vote.outcome(question))
    ]  # fmt: skip
    lines = [
        {
            "item": vote.item, "kind": vote.kind, "opponent": vote.opponent, "rater": vote.rater, "swapped": vote.swapped,
            "outcomes": {} if vote.kind == "trap" else {name: vote.outcome(name) for name in QUESTIONS}, "answers": vote.answers,
            "comment": vote.comment, "spent": vote.spent, "revision": vote.revision,
        }
        for vote in found[:_MOST_VOTES]
    ]  # fmt: skip
    return {"votes": lines, "all": len(found)}
