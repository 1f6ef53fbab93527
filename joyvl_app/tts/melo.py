"""MeloTTS, English and Chinese mixed: its VITS model run by sherpa-onnx (Apache-2.0), because the package MeloTTS itself cannot
share an environment with this app. The weights (MIT) come from the hub at the first use, or from a folder.

sherpa-onnx ends the whole process on some damaged files. So a folder is tried in a process of its own before it is loaded here.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from joyvl_app.audio import pcm
from joyvl_app.domain import AudioChunk
from joyvl_app.errors import BadInput, MissingPart, ProviderFailed
from joyvl_app.ports import Clock
from joyvl_app.worker import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sherpa_onnx import OfflineTts

_FILES = ("model.onnx", "tokens.txt", "lexicon.txt")
_TRIAL_SECONDS = 120.0
_SECONDS_A_SIGN = 0.3  # it is hardly faster than speech on a small CPU
_THREADS = 2


class MeloSynthesizer:
    """44.1 kHz, clause by clause."""

    name, audible = "melo", True

    def __init__(self, clock: Clock, model: str, seconds: float) -> None:
        self.languages = ("en",) if model.rstrip("/").endswith("tts-en") else ("en", "zh")
        self._voice, self._seconds = Model("melo", clock, lambda: _load(model)), seconds

    @property
    def ready(self) -> bool:
        return self._voice.ready

    async def start(self) -> None:
        await self._voice.start()

    async def aclose(self) -> None:
        self._voice.close()

    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        clauses: asyncio.Queue[AudioChunk | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        given_up = False

        def hand_over(samples: NDArray[np.float32], progress: float) -> int:
            loop.call_soon_threadsafe(clauses.put_nowait, AudioChunk(0.0, rate, pcm(samples)))
            return int(not given_up)

        rate = await self._voice.run(lambda voice: int(voice.sample_rate), self._seconds)
        seconds = self._seconds + _SECONDS_A_SIGN * len(text)
        speaking = asyncio.ensure_future(self._voice.run(lambda voice: _speak(voice, text, speed, hand_over), seconds))
        speaking.add_done_callback(lambda _: clauses.put_nowait(None))
        try:
            while (clause := await clauses.get()) is not None:
                yield clause
            speaking.result()
        finally:
            given_up = True
            speaking.cancel()


def is_here(model: str) -> bool:
    """Whether the weights lie on this machine."""
    try:
        return _folder(model, fetch=False) is not None
    except (BadInput, MissingPart):
        return False


def _speak(voice: OfflineTts, text: str, speed: float, hand_over: Callable[[NDArray[np.float32], float], int]) -> None:
    """The result itself is not looked at: reading it holds everything up."""
    voice.generate(text, sid=0, speed=speed, callback=hand_over)


def _load(model: str) -> OfflineTts:
    folder = _folder(model, fetch=True)
    tried = subprocess.run(
        [sys.executable, "-m", "joyvl_app.tts.melo", str(folder)], capture_output=True, timeout=_TRIAL_SECONDS, check=False
    )
    if tried.returncode:
        raise BadInput(f"The MeloTTS files in {folder} are damaged, or of another kind. Delete them and get {model} again.")
    return _open(folder)


def _folder(model: str, fetch: bool) -> Path:
    """Where the weights lie. Raises BadInput for a folder that lacks some, MissingPart when they cannot be had."""
    folder = Path(model).expanduser()
    if folder.is_dir() or model.count("/") != 1 or model.startswith((".", "~", "/")):
        if absent := [name for name in _FILES if not (folder / name).is_file() or not (folder / name).stat().st_size]:
            raise BadInput(f"JOYVL_MELO_MODEL={model} needs {', '.join(_FILES)} in it; missing or empty: {', '.join(absent)}.")
        return folder
    from huggingface_hub import snapshot_download

    try:  # with a progress bar on the terminal
        found = Path(snapshot_download(model, allow_patterns=[*_FILES, "*.fst"], local_files_only=not fetch))
    except Exception as error:  # the hub's client raises many kinds
        raise MissingPart(
            f"MeloTTS's weights {model} cannot be fetched. Put {', '.join(_FILES)} into a folder and name it in JOYVL_MELO_MODEL."
        ) from error
    if any(not (found / name).is_file() for name in _FILES):
        raise MissingPart(f"{model} is not a MeloTTS model for sherpa-onnx: it lacks one of {', '.join(_FILES)}.")
    return found


def _open(folder: Path) -> OfflineTts:
    import sherpa_onnx

    model, lexicon, tokens = (str(folder / name) for name in ("model.onnx", "lexicon.txt", "tokens.txt"))
    vits = sherpa_onnx.OfflineTtsVitsModelConfig(model=model, lexicon=lexicon, tokens=tokens)
    rules = ",".join(str(path) for path in sorted(folder.glob("*.fst")))
    config = sherpa_onnx.OfflineTtsConfig(
        model=sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=_THREADS, provider="cpu"),
        rule_fsts=rules,
        max_num_sentences=1,  # a callback for each clause
    )
    if not config.validate():
        raise ProviderFailed(f"sherpa-onnx does not accept the files in {folder}.")
    return sherpa_onnx.OfflineTts(config)


def _try(folder: Path) -> int:
    """0 when the folder holds a voice that says something."""
    voice = _open(folder)
    sounds = 0

    def count(samples: NDArray[np.float32], progress: float) -> int:
        nonlocal sounds
        sounds += samples.size
        return 1

    voice.generate("Hello. \u4f60\u597d\u3002", sid=0, speed=1.0, callback=count)
    return 0 if voice.sample_rate > 0 and sounds else 1


if __name__ == "__main__":
    sys.exit(_try(Path(sys.argv[1])))
