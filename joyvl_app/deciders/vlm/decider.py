"""The vlm decider: one checkpoint, loaded once, for all sessions."""

from __future__ import annotations

import asyncio

from joyvl_app.deciders.queue import DeviceQueue
from joyvl_app.deciders.vlm.actions import Actions
from joyvl_app.deciders.vlm.checkpoint import Placement, load, own_prompt
from joyvl_app.deciders.vlm.device import VlmDevice
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.second import Second
from joyvl_app.deciders.vlm.summary import VlmSummarizer
from joyvl_app.deciders.vlm.watcher import Model, VlmWatcher
from joyvl_app.errors import JoyError, ProviderFailed
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings
from joyvl_app.worker import Worker


class VlmDecider:
    """Loads at the first `start`; every session opens its own watcher on the shared queue."""

    name = "vlm"

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock, self._settings = clock, settings
        self._worker = Worker("vlm", clock)
        self._loading: asyncio.Task[Model] | None = None
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        assert self._model is not None, "start() comes before this"
        return self._model

    async def start(self) -> None:
        """Raises BadInput (the checkpoint cannot be used), MissingPart (a package is absent), ProviderFailed (anything else)."""
        if self._model is None:
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(asyncio.to_thread(self._load))
            try:  # whoever waits may give up; what was half loaded is not thrown away with them
                self._model = await asyncio.shield(self._loading)
            except JoyError:
                raise
            except Exception as error:
                raise ProviderFailed(f"The model {self._settings.model} could not be loaded: {error}") from error

    def _load(self) -> Model:
        settings = self._settings
        placement = Placement(settings.model_device, settings.model_dtype, settings.model_bits)
        engine = Engine(load(settings.model, placement), settings.picture_pixels)
        actions = Actions(engine)
        device = VlmDevice(engine, actions)
        queue: DeviceQueue[Second] = DeviceQueue(
            device, self._worker, self._clock, batch_max=settings.batch_max, load_max=settings.load_max
        )
        return Model(engine, actions, device, queue, settings.prompt_file or own_prompt(settings.model))

    @property
    def about(self) -> str:
        """What a person should know of the loaded model, in a sentence; "" for a trained one that runs as it should."""
        if self._model is None:
            return ""
        notes = []
        if not self._model.actions.trained:
            notes.append("This model was not trained to decide when to speak; it is steered by its instructions alone.")
        if not self._model.engine.keeps and not self._settings.stateless:
            notes.append("It reads every second anew, for its memory of the seconds before cannot be kept.")
        return " ".join(notes)

    @property
    def summarizer(self) -> VlmSummarizer | None:
        """The model's own, once it is loaded, where the settings name no other."""
        return VlmSummarizer(self._model) if self._model and self._settings.summarizer == "auto" else None

    def open(self, session_id: str) -> VlmWatcher:
        """Raises Busy when the device has no time or no memory for one session more."""
        model = self.model
        model.device.check_room(model.device.tokens_a_turn * self._settings.chunk_seconds)
        model.queue.admit(session_id)
        return VlmWatcher(session_id, model, self._settings)

    def report(self) -> dict[str, float]:
        """The queue's depth, waits and skips; empty before it is loaded."""
        return self._model.queue.report() if self._model else {}

    async def aclose(self) -> None:
        if self._model:
            await self._model.queue.aclose()
        self._worker.close()
