"""The rating page as a wing of the app (tabs Rate and Results), and alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import gradio as gr
from fastapi import FastAPI

from eval_ui.house import House
from eval_ui.password import Gate, NotAllowed
from eval_ui.results_routes import make_results_router
from eval_ui.routes import make_rating_router
from eval_ui.starter import Starter
from eval_ui.votes import AlreadyVoted
from joyvl_app.settings import Settings
from joyvl_app.ui.blocks import build_lone_blocks
from joyvl_app.ui.server import bare_app, with_page
from joyvl_app.ui.text import text
from joyvl_app.ui.wing import Wing

_STYLE = '<link rel="stylesheet" href="/joyvl/static/rate.css">'
_ALONE = '<script type="module" src="/joyvl/static/rate_alone.js"></script>'


def rating_wing(settings: Settings, alone: bool = False) -> Wing:
    """Raises BadInput or MissingPart when the votes' database cannot be opened."""
    house = House(settings)
    starter, gate = Starter(house), Gate(settings.rating_password.get_secret_value())

    async def aclose() -> None:
        await starter.aclose()
        await house.aclose()

    routers = make_rating_router(house, starter, gate.on), make_results_router(house, gate)
    head = _STYLE + (_ALONE if alone else "")
    return Wing("/rating", routers, lambda: _tabs(gate.on), "rate", head, aclose, {NotAllowed: 401, AlreadyVoted: 409})


def build_rating_app(settings: Settings) -> FastAPI:
    """The rating page alone, ready for uvicorn. Raises as `rating_wing`."""
    wing = rating_wing(settings, alone=True)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await wing.aclose()

    return with_page(bare_app(settings, lifespan, (wing,)), build_lone_blocks(wing))


def _tabs(results: bool) -> None:
    """assets/page/rate.js and results.js bring them to life."""
    with gr.Tab(text("rate"), id="rate", elem_id="tab-rate", render_children=True):
        gr.HTML(
            f'<section id="jv-rate" aria-label="{text("rate")}"><p role="status">{text("rate_loading")}</p></section>',
            padding=False,
        )
    if results:
        with gr.Tab(text("results"), id="results", elem_id="tab-results", render_children=True):
            gr.HTML(f'<section id="jv-results" aria-label="{text("results")}"></section>', padding=False)
