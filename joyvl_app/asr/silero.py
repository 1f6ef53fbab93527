"""Voice activity: silero's network (16 kHz ONNX, MIT, inside the wheel silero-vad), run without importing the wheel's PyTorch."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from joyvl_app.asr.echo import Echo
from joyvl_app.audio import HEARD_RATE, WINDOW, is_voiced, windows
from joyvl_app.domain import Pcm, Sound
from joyvl_app.errors import MissingPart
from joyvl_app.ports import Clock
from joyvl_app.worker import Model

_CONTEXT = 64  # samples of the window before that the network wants to see again
_SECONDS = 5.0
_SPEECH = 0.5


class SileroDetector:
    """One network for all sessions; 0.2 ms a window."""

    def __init__(self, clock: Clock) -> None:
        self._network = Model("voice activity detection", clock, _load)

    async def start(self) -> None:
        await self._network.start()

    async def aclose(self) -> None:
        self._network.close()

    def open(self) -> SileroEar:
        return SileroEar(self._network)


class SileroEar:
    """A plain ear, and a second one behind the echo canceller for as long as the assistant's own voice may be in the room."""

    def __init__(self, network: Model[ort.InferenceSession]) -> None:
        self._network = network
        self._plain, self._behind, self._echo = _State(), _State(), Echo()

    @property
    def echoes(self) -> bool:
        return self._echo.leaks

    async def listen(self, near: Pcm, far: Pcm, turn: bool) -> list[Sound]:
        def judge(network: ort.InferenceSession) -> list[Sound]:
            pairs = zip(windows(near), windows(far), strict=True)
            return [self._judge(network, *pair, turn) for pair in pairs]

        return await self._network.run(judge, _SECONDS)

    def mistaken(self) -> None:
        self._echo.mistaken()

    def _judge(self, network: ort.InferenceSession, near: Pcm, far: Pcm, turn: bool) -> Sound:
        heard = _sound(self._plain.take(network, near), near)
        possible = self._echo.possible(far)
        if not (possible or self._echo.at_work):
            return heard
        clean = self._echo.cancel(near, far)
        beyond = _sound(self._behind.take(network, clean), clean)
        if not possible:
            return heard
        if not turn:
            self._echo.learn(heard.p_speech >= _SPEECH)
        return beyond if self._echo.leaks else replace(heard, foreign=beyond.p_speech >= _SPEECH)


class _State:
    """The network's memory of one stream."""

    def __init__(self) -> None:
        self._state: NDArray[np.float32] = np.zeros((2, 1, 128), np.float32)
        self._context: NDArray[np.float32] = np.zeros((1, _CONTEXT), np.float32)

    def take(self, network: ort.InferenceSession, window: Pcm) -> float:
        sound = np.concatenate([self._context, window[None].astype(np.float32) / 32_768], axis=1)
        self._context = sound[:, -_CONTEXT:]
        fed = {"input": sound, "state": self._state, "sr": np.array(HEARD_RATE, np.int64)}
        probability, self._state = network.run(None, fed)
        return float(probability[0, 0])


def _sound(p: float, window: Pcm) -> Sound:
    return Sound(p, p >= _SPEECH and is_voiced(window))


def _load() -> ort.InferenceSession:
    spec = find_spec("silero_vad")
    path = Path(spec.origin).parent / "data" / "silero_vad.onnx" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingPart("Hearing needs: pip install silero-vad")
    options = ort.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    network = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for _ in range(3):
        _State().take(network, np.zeros(WINDOW, np.int16))
    return network
