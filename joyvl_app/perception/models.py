"""ONNX weights that lie in assets/models, run on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from joyvl_app.errors import MissingPart

if TYPE_CHECKING:
    import onnxruntime as ort

MODELS = Path(__file__).resolve().parent.parent.parent / "assets" / "models"
THREADS = 2


class OnnxModel:
    """One network. Raises MissingPart when its weights or the runtime are absent or broken."""

    def __init__(self, name: str, folder: Path = MODELS) -> None:
        self._session = _open(folder / f"{name}.onnx")
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        outputs: list[Any] = self._session.run(None, {self._input: batch})
        return outputs


def _open(path: Path) -> ort.InferenceSession:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingPart("The embedded eyes need onnxruntime: pip install onnxruntime") from error
    if not path.is_file():
        raise MissingPart(f"The weight file {path.name} is missing from {path.parent}; get it again with git checkout.")
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    # Idle worker threads must sleep, not spin: the machine also streams, reads text and serves the page.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds of its own
        raise MissingPart(f"The weight file {path.name} is damaged; get it again with git checkout.") from error


def sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1.0 / (1.0 + np.exp(-np.clip(x, -60, 60)))).astype(np.float32)
