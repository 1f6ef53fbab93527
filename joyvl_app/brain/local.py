"""A GGUF model on this machine (xllamacpp), as the brain's chat model: its own OpenAI-compatible server on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from joyvl_app.brain.agent import AgentBrain
from joyvl_app.domain import Answer, Delegation
from joyvl_app.errors import BadInput, MissingPart, ProviderFailed
from joyvl_app.ports import Clock, Errand, SessionTools
from joyvl_app.settings import Settings

_CONTEXT = 8_192  # tokens
_MAGIC = b"GGUF"


def local_brain(clock: Clock, settings: Settings) -> LocalBrain:
    """Raises BadInput when the file is none, MissingPart without xllamacpp."""
    path = Path(settings.brain_model).expanduser()
    if not path.is_file():
        raise BadInput("The brain 'local' needs JOYVL_BRAIN_MODEL=/path/to/model.gguf; there is no such file.")
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise BadInput(f"{path.name} is not a GGUF model.")
    return LocalBrain(clock, settings, path)


class LocalBrain:
    """The model is loaded with the first question, and shared by all sessions."""

    def __init__(self, clock: Clock, settings: Settings, path: Path) -> None:
        self._clock, self._settings, self._path = clock, settings, path
        self._server: Any = None
        self._agent: AgentBrain | None = None
        self._loading = asyncio.Lock()

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        if self._agent:
            await self._agent.aclose()
        self._server = None  # its end stops it

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer:
        """Raises ProviderFailed when the model cannot be loaded or does not answer."""
        async with self._loading:
            if self._agent is None:
                errand.report(f"loading {self._path.name}")
                self._server = await self._clock.timed(asyncio.to_thread(_serve, self._path))
                address = f"{self._server.listening_address}/v1"
                self._agent = AgentBrain(self._clock, self._settings.model_copy(update={"brain_url": address}))
        return await self._agent.solve(task, tools, errand)


def _serve(path: Path) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingPart("The brain 'local' needs: pip install xllamacpp") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = _CONTEXT
    params.n_parallel = 1
    params.use_jinja = True
    params.verbosity = 0
    try:
        return xllamacpp.Server(params)
    except Exception as error:
        raise ProviderFailed(f"The model {path.name} cannot be loaded ({type(error).__name__}).") from error
