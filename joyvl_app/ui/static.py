"""The page's own files: scripts, style, sample clips."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from joyvl_app.api.guard import refuse_foreign_pages
from joyvl_app.errors import BadInput
from joyvl_app.ui.text import PAGE


def make_static_router() -> APIRouter:
    """Files under /joyvl, by name alone."""
    router = APIRouter(prefix="/joyvl", dependencies=[Depends(refuse_foreign_pages)])

    @router.get("/static/{name}")
    async def static(name: str) -> FileResponse:
        return _asset(PAGE, name, (".js", ".css", ".svg"))

    @router.get("/clips/{name}")
    async def clip(name: str) -> FileResponse:
        return _asset(PAGE.parent / "clips", name, (".mp4", ".webm"))

    return router


def _asset(folder: Path, name: str, endings: tuple[str, ...]) -> FileResponse:
    path = folder / name
    if "/" in name or not name.endswith(endings) or not path.is_file():
        raise BadInput(f"There is no file {name}.")
    return FileResponse(path, headers={"Cache-Control": "no-cache"})
