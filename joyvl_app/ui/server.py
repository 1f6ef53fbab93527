"""The web application: our routes, errors in people's words, and the Gradio page at the root."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, redirect_stdout
from io import StringIO

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from joyvl_app.api.routes import make_api
from joyvl_app.api.server import model_name
from joyvl_app.api.sessions import ApiSessions
from joyvl_app.build import build_providers
from joyvl_app.clock import RealClock
from joyvl_app.errors import BadInput, Busy, JoyError
from joyvl_app.memory.memories import open_archive
from joyvl_app.scenario import load_scenarios
from joyvl_app.settings import Settings
from joyvl_app.ui.blocks import build_blocks
from joyvl_app.ui.bounded import BoundedBodies
from joyvl_app.ui.desk import Desk
from joyvl_app.ui.offline import KeepToYourself
from joyvl_app.ui.recall import make_memory_router
from joyvl_app.ui.routes import make_router
from joyvl_app.ui.rtc import Rtc
from joyvl_app.ui.static import make_static_router
from joyvl_app.ui.wing import Wing

_WING_BODY = 64 << 10  # bytes of a request


def build_app(settings: Settings, *wings: Wing) -> FastAPI:
    """The whole application with these wings, ready for uvicorn. Raises BadInput or MissingPart before anything listens."""
    scenarios = load_scenarios()
    clock = RealClock()
    providers = build_providers(settings, clock, lambda: open_archive(settings, clock))
    desk = Desk(settings, providers, scenarios)
    sessions = ApiSessions(providers.deciders, providers.chosen, settings, providers.memories)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await desk.start()
        yield
        await sessions.aclose()
        await desk.aclose()
        for wing in wings:
            await wing.aclose()

    app = bare_app(settings, lifespan, wings)
    app.state.desk = desk
    app.include_router(make_router(desk, Rtc(settings)))
    app.include_router(make_memory_router(desk))
    app.include_router(make_api(sessions, model_name(providers.chosen, settings), settings))
    return with_page(app, build_blocks(scenarios, wings))


def bare_app(
    settings: Settings, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]], wings: Sequence[Wing]
) -> FastAPI:
    """What every page of ours has: its files, errors in people's words, and its wings' routes."""
    app = FastAPI(title="JoyVL", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(JoyError, _say_it)
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    app.include_router(make_static_router())
    app.state.statuses = {}
    for wing in wings:
        app.state.statuses |= wing.statuses
        for router in wing.routers:
            app.include_router(router)
    app.add_middleware(KeepToYourself, on_space=settings.on_space)
    for wing in wings:
        app.add_middleware(BoundedBodies, prefix=wing.prefix, most=_WING_BODY)
    return app


def with_page(app: FastAPI, blocks: gr.Blocks) -> FastAPI:
    """The application with its Gradio page at the root."""
    with redirect_stdout(StringIO()):  # Gradio prints the path it mounts at
        mounted: FastAPI = gr.mount_gradio_app(app, blocks, path="/", show_error=False)
    return mounted


async def _say_it(request: Request, error: Exception) -> JSONResponse:
    known = {**request.app.state.statuses, Busy: 503, BadInput: 400}
    status = next((known[kind] for kind in type(error).__mro__ if kind in known), 500)
    return JSONResponse({"error": str(error)}, status_code=status)


async def _say_what_is_wrong(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"][1:]) or "the request"
    return JSONResponse({"error": f"{place}: {fault['msg']}."}, status_code=400)
