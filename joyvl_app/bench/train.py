"""`bench train`: packing against padding on the same rows in the same run, and how busy rendering keeps the device."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from joyvl_app.bench import Result
from joyvl_app.deciders.vlm.inputs import Patches
from joyvl_app.domain import MODEL_PIXELS
from joyvl_app.train.encoding import Row
from joyvl_app.train.feeding import Rendered, Spec
from joyvl_app.train.loading import load_model
from joyvl_app.train.loop import Schedule
from joyvl_app.train.loss import Weights, weighted_loss
from joyvl_app.train.nano import write_nano
from joyvl_app.train.packing import logits_of, packed, prepare
from joyvl_app.train.sft import Plan, train

_ROWS, _REPEATS, _STEPS = 12, 3, 25
_SHORTEST, _LONGEST = 6, 48  # seconds of video: released clips differ that much, and more


def measure() -> Result:
    result = Result(targets={"packed_to_padded": (">=", 1.2), "busy": (">=", 0.9), "loss_apart": ("<=", 1e-3)})
    with tempfile.TemporaryDirectory() as folder:
        base = write_nano(Path(folder) / "nano")
        result.figures |= _packing(base)
        result.figures |= _feeding(base, Path(folder) / "run")
    return result


# --- packing against padding -------------------------------------------------------------------------------------------


def _packing(base: Path) -> dict[str, float]:
    """Tokens a second, those of the padding not counted; vision is the same for both."""
    rows = _uneven(Rendered(Spec(str(base), Weights())))
    checkpoint = load_model(str(base))
    model, patches = checkpoint.model, Patches(checkpoint.image_processor, MODEL_PIXELS, torch.device("cpu"))
    native = model.config.get_text_config()._attn_implementation
    prepare(model)
    own = model.config.get_text_config()._attn_implementation
    ways: dict[str, tuple[str, Callable[[], Tensor]]] = {
        "packed": (own, lambda: _packed_loss(model, rows, patches)),
        "padded": (native, lambda: _padded_loss(model, rows, patches)),
    }
    tokens, figures, losses = sum(row.tokens for row in rows), dict[str, float](), dict[str, float]()
    for name, (attention, loss) in ways.items():
        model.config.get_text_config()._attn_implementation = attention
        losses[name] = float(loss().detach())
        figures[f"{name}_tokens_s"] = tokens / statistics.median(_timed(model, loss) for _ in range(_REPEATS))
    figures["packed_to_padded"] = figures["packed_tokens_s"] / figures["padded_tokens_s"]
    figures["loss_apart"] = abs(losses["packed"] - losses["padded"])
    return figures


def _uneven(items: Rendered) -> list[Row]:
    """Rows cut to lengths as different as those of real clips."""
    rng = np.random.default_rng(1)
    return [_cut(items.fetch(number)[0], int(rng.integers(_SHORTEST, _LONGEST))) for number in range(_ROWS)]


def _cut(row: Row, seconds: int) -> Row:
    if seconds >= len(row.decisions):
        return row
    places = row.decisions[:seconds]
    end = places[-1] + 1
    return Row(row.id, row.ids[:end], row.positions[:, :end], row.weights[:end], row.images[:seconds], places)


def _timed(model: Any, loss: Callable[[], Tensor]) -> float:
    began = time.perf_counter()
    loss().backward()  # type: ignore[no-untyped-call]
    model.zero_grad()
    return time.perf_counter() - began


def _packed_loss(model: Any, rows: Sequence[Row], patches: Patches) -> Tensor:
    pack = packed(rows, patches, torch.device("cpu"))
    return weighted_loss(logits_of(model, pack, pack.learned), pack.targets, pack.weights)


def _padded_loss(model: Any, rows: Sequence[Row], patches: Patches) -> Tensor:
    """One row a line, filled up to the longest."""
    longest = max(row.tokens for row in rows)
    short = [longest - row.tokens for row in rows]
    ids = torch.stack([pad(torch.from_numpy(row.ids), (0, gap)) for row, gap in zip(rows, short, strict=True)])
    mask = torch.stack([pad(torch.ones(row.tokens), (0, gap)) for row, gap in zip(rows, short, strict=True)])
    positions = torch.stack([pad(torch.from_numpy(row.positions), (0, gap)) for row, gap in zip(rows, short, strict=True)], 1)
    output = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False,
        **patches([image for row in rows for image in row.images]),
    )  # fmt: skip
    weights = torch.stack([pad(torch.from_numpy(row.weights), (0, gap)) for row, gap in zip(rows, short, strict=True)])
    lines, places = weights.nonzero(as_tuple=True)
    return weighted_loss(output.logits[lines, places - 1], ids[lines, places], weights[lines, places])


# --- how busy ----------------------------------------------------------------------------------------------------------


def _feeding(base: Path, out: Path) -> dict[str, float]:
    """Of some steps of SFT on rendered episodes with one worker, but the first ones, which wait for it to start: the share of the
    whole time that was work, and the median pace.
    """
    lines: list[dict[str, Any]] = []
    schedule = Schedule(_STEPS, tokens=4_096, warmup=5, save_every=1_000, workers=1)
    train(Plan(str(base), out, schedule=schedule, device="cpu"), lines.append)
    steady = lines[len(lines) // 5 :]
    figures = {name: statistics.median(float(line[name]) for line in steady) for name in ("tokens_s", "video_s")}
    figures["busy"] = sum(line["took_s"] * line["busy"] for line in steady) / sum(line["took_s"] for line in steady)
    return figures | {"memory_mb": max(float(line["memory_mb"]) for line in lines)}
