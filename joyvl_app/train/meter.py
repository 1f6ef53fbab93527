"""How fast a run learns: tokens and seconds of video a second, how busy the device is, memory, and on a GPU its utilisation."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

import psutil
import torch

from joyvl_app.train.encoding import Row

# Dense bf16 peak in operations a second, by a part of the device's name (the makers' data sheets).
_PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}
_PASSED, _LEARNED = 4, 6  # operations for each weight and token: two forward, two backward, two more where it is learned


def seconds_left(began: float, done: int, left: int) -> int:
    """Of `left` steps, at the pace of the `done` ones since `began` (time.perf_counter)."""
    return round(left * (time.perf_counter() - began) / done)


def memory_mb(device: torch.device) -> int:
    """The most that a GPU held, or what this process holds of the host's, in MiB."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device)) >> 20
    return int(psutil.Process().memory_info().rss) >> 20


class Meter:
    """Measures step by step; the time left comes from the steps of this process alone."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self._device, self._steps, self._began = device, 0, time.perf_counter()
        costs = [
            (".visual." in name, weight.numel() * (_LEARNED if weight.requires_grad else _PASSED))
            for name, weight in model.named_parameters()
        ]
        self._costs = (sum(cost for seeing, cost in costs if not seeing), sum(cost for seeing, cost in costs if seeing))
        self._counted = model.config.model_type == "qwen3_vl"  # of other kinds it is not known what passes through which weights
        self._side = int(model.config.vision_config.patch_size) if self._counted else 1

    def measure(self, rows: Sequence[Row], busy: float, waited: float, left: int, seeing: bool = False) -> dict[str, Any]:
        """Of a step over `rows` that took `busy` seconds after `waited` seconds without work, of `seeing` alone or of all."""
        self._steps += 1
        tokens, took = sum(row.tokens for row in rows), busy + waited
        figures = {
            "tokens_s": round(tokens / took),
            "video_s": round(sum(len(row.decisions) for row in rows) / took, 1),
            "busy": round(busy / took, 3),
            "took_s": round(took, 3),
            "left_s": seconds_left(self._began, self._steps, left),
            "memory_mb": memory_mb(self._device),
        }
        peak = self._peak()
        return figures | ({"utilisation": round(self._operations(rows, seeing) / took / peak, 3)} if peak else {})

    def _peak(self) -> float:
        if self._device.type != "cuda" or not self._counted:
            return 0.0
        name = torch.cuda.get_device_name(self._device)
        return next((peak for part, peak in _PEAKS.items() if re.search(rf"\b{part}\b", name)), 0.0)

    def _operations(self, rows: Sequence[Row], seeing: bool) -> float:
        """Of the weights alone: attention, a second forward pass (gradient checkpointing) and looking again at the same picture
        do not count as useful work.
        """
        pictures = {id(image): image for row in rows for image in row.images}
        patches = sum(image.shape[0] * image.shape[1] for image in pictures.values()) // self._side**2
        language, vision = self._costs
        return float(vision * patches + (0 if seeing else language * sum(row.tokens for row in rows)))
