"""The API alone, without a page: `python -m joyvl_app serve`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from joyvl_app.api.routes import make_api
from joyvl_app.api.sessions import ApiSessions
from joyvl_app.build import Deciders, chosen_decider
from joyvl_app.clock import RealClock
from joyvl_app.memory.memories import Memories, make_summarizer
from joyvl_app.settings import Settings


def model_name(decider: str, settings: Settings) -> str:
    """What clients see as the model's name: a hub id, a folder's last part, or the decider's."""
    return settings.public()["model"] if decider == "vlm" else f"joyvl-{decider}"


def build_api(settings: Settings) -> FastAPI:
    """Ready for uvicorn. Raises BadInput or MissingPart before anything listens."""
    deciders, chosen = Deciders(settings, RealClock()), chosen_decider(settings)
    deciders.get(chosen)
    memories = Memories(settings, make_summarizer(settings, RealClock()), None)
    sessions = ApiSessions(deciders, chosen, settings, memories)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await deciders.get(chosen).start()
        yield
        await sessions.aclose()
        await memories.aclose()
        await deciders.aclose()

    app = FastAPI(title="JoyVL API", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(make_api(sessions, model_name(chosen, settings), settings))
    return app
