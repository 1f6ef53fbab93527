"""A GGUF model on this machine (xllamacpp), as the brain's chat model: its own OpenAI-compatible server on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from joyvl_app.brain.agent import AgentBrain
from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings

_CONTEXT = 8_192  # tokens


def local_brain(clock: Clock, settings: Settings) -> LocalBrain:
    """Raises BadInput when the file is none, MissingPart without xllamacpp."""
    path = Path(settings.brain_model).expanduser()
    if not path.is_file():
        raise BadInput("The brain 'local' needs JOYVL_BRAIN_MODEL=/path/to/model.gguf; there is no such file.")
    if path.open("rb").read(4) != b"GGUF":
        raise BadInput(f"{path.name} is not a GGUF model.")
    return LocalBrain(clock, settings, path)


class LocalBrain(AgentBrain):
    """The model is loaded with the first question's start and shared by all sessions."""

    def __init__(self, clock: Clock, settings: Settings, path: Path) -> None:
        self._server = _serve(path)
        address = f"{self._server.listening_address}/v1"
        super().__init__(clock, settings.model_copy(update={"brain_url": address, "brain_model": path.stem}))

    async def aclose(self) -> None:
        await super().aclose()
        del self._server


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
    params.endpoint_metrics = False
    return xllamacpp.Server(params)
