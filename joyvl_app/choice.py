"""Which decider `auto` means on this machine, and why. Looks for a GPU and for weights without importing anything heavy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from joyvl_app.settings import Settings

_FLAGSHIP_GB = 17.6  # the 8B model's weights in bfloat16
_SPARE_GB = 3.0  # for one session's cache and the passes
_HUB_SECONDS = 4.0
_DRIVERS = ("/dev/kfd", "/dev/nvidia0", "/dev/dxg")


@dataclass(frozen=True)
class Choice:
    """A decider's name, why it was taken, and how to have another."""

    name: str
    why: str
    how: str


@lru_cache(maxsize=16)
def choose(settings: Settings) -> Choice:
    """What `JOYVL_DECIDER` names; for `auto` the best that this machine can run."""
    if settings.decider != "auto":
        return Choice(settings.decider, f"JOYVL_DECIDER={settings.decider}", "Set JOYVL_DECIDER=auto to let the app choose.")
    if settings.openai_urls:
        return Choice("openai_chat", "JOYVL_OPENAI_URLS names a server", "Set JOYVL_DECIDER to choose another.")
    if obstacle := why_not_vlm(settings):
        return Choice("embedded", obstacle, "Connect a GPU or a server: docs/serving.md. Or set JOYVL_DECIDER=vlm.")
    return Choice("vlm", f"a GPU and {settings.model} are there", "Set JOYVL_DECIDER=embedded to spare the GPU.")


def why_not_vlm(settings: Settings) -> str:
    """What stands in the way of the vlm decider, in a few words; "" when nothing does."""
    if not has_driver():
        return "no GPU was found"
    free = free_gpu_gb()
    if free <= 0:
        return "PyTorch cannot use the GPU (is it a build for the CPU?)"
    needed = _weights_gb(settings) * settings.model_bits / 16 + _SPARE_GB
    if free < needed:
        return f"the GPU has {free:.0f} GB free, {settings.model} needs about {needed:.0f}"
    return _no_weights(settings.model)


def has_driver() -> bool:
    return bool(shutil.which("nvidia-smi")) or any(Path(driver).exists() for driver in _DRIVERS)


def free_gpu_gb() -> float:
    """Free memory of all GPUs that PyTorch can use. Imports torch: asked only where there is a driver."""
    try:
        import torch

        return sum(torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())) / 1e9
    except (ImportError, RuntimeError):
        return 0.0


def _weights_gb(settings: Settings) -> float:
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e9
    return _FLAGSHIP_GB


def _no_weights(model: str) -> str:
    """Why the weights cannot be had; "" when they lie here or the hub can be asked for them."""
    if Path(model).expanduser().is_dir():
        return ""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(model, "config.json"), str) and _cached_weights(model):
        return ""
    try:
        HfApi().model_info(model, timeout=_HUB_SECONDS)
    except Exception:  # offline, no such model, no permission: all the same here
        return f"{model} is not on this machine and cannot be fetched"
    return ""


def _cached_weights(model: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = ("model.safetensors.index.json", "model.safetensors")
    return any(isinstance(try_to_load_from_cache(model, name), str) for name in names)
