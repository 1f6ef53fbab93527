"""Which decider `auto` means on this machine, and why. Looks for a GPU and for weights without importing anything heavy."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from joyvl_app.settings import Settings

_FLAGSHIP_GB = 17.6  # the 8B model's weights in bfloat16
_GB_A_BILLION = 2.2  # parameters, in 16 bits
_SPARE_GB = 3.0  # for one session's cache and the passes
_HUB_SECONDS = 4.0
_DRIVERS = ("/dev/kfd", "/dev/nvidia0", "/dev/dxg")


@dataclass(frozen=True)
class Choice:
    """A decider's name, and the reason: `why_REASON` in the page's catalogue, with these values filled in."""

    name: str
    reason: str
    values: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=16)
def choose(settings: Settings) -> Choice:
    """What `JOYVL_DECIDER` names; for `auto` the best that this machine can run."""
    if settings.decider != "auto":
        return Choice(settings.decider, "setting", {"name": settings.decider})
    if settings.openai_urls:
        return Choice("openai_chat", "server")
    return obstacle(settings) or Choice("vlm", "gpu", {"model": settings.model})


def obstacle(settings: Settings) -> Choice | None:
    """What stands in the way of the vlm decider, as the choice of the embedded one; None when nothing does."""
    if not has_driver():
        return Choice("embedded", "no_gpu")
    if absent := [name for name in ("torch", "transformers", "accelerate") if find_spec(name) is None]:
        return Choice("embedded", "packages", {"names": " ".join(absent)})
    free = free_gpu_gb()
    if free <= 0:
        return Choice("embedded", "torch")
    needed = _weights_gb(settings.model) * settings.model_bits / 16 + _SPARE_GB
    if free < needed:
        return Choice("embedded", "small", {"free": f"{free:.0f}", "model": settings.model, "needed": f"{needed:.0f}"})
    return None if _weights_can_be_had(settings.model) else Choice("embedded", "weights", {"model": settings.model})


def has_driver() -> bool:
    return bool(shutil.which("nvidia-smi")) or any(Path(driver).exists() for driver in _DRIVERS)


def free_gpu_gb() -> float:
    """Free memory of all GPUs that PyTorch can use. Imports torch: asked only where there is a driver."""
    try:
        import torch

        return sum(torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())) / 1e9
    except (ImportError, RuntimeError):
        return 0.0


def _weights_gb(model: str) -> float:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e9
    billions = re.search(r"(\d+(?:\.\d+)?)\s*[bB]\b", model)  # as in Qwen3-VL-2B-Instruct
    return float(billions.group(1)) * _GB_A_BILLION if billions else _FLAGSHIP_GB


def _weights_can_be_had(model: str) -> bool:
    """They lie here, or the hub has them."""
    if Path(model).expanduser().is_dir():
        return True
    from huggingface_hub import HfApi, try_to_load_from_cache

    names = ("model.safetensors.index.json", "model.safetensors")
    if any(isinstance(try_to_load_from_cache(model, name), str) for name in names):
        return True
    try:
        HfApi().model_info(model, timeout=_HUB_SECONDS)
    except Exception:  # offline, no such model, no permission: all the same here
        return False
    return True
