"""What changed between two evaluations: case by case, with paired bootstrap intervals of the difference."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import TARGETED
from joyvl_app.evals.evaluation import SCHEMA
from joyvl_app.evals.metrics import bootstrap_f1, resampled

_COUNTED = {
    "hits": "hits",
    "timing_hits": "timing hits",
    "turns": "turns",
    "false_alarms": "false alarms",
    "duplicates": "repeats",
}
_COLUMNS = (("F1", "hits"), ("timing F1", "timing_hits"))


@dataclass(frozen=True)
class Difference:
    """A figure before and after, and the 95% interval of after − before over resampled cases."""

    name: str
    before: float
    after: float
    low: float
    high: float

    @property
    def told(self) -> str:
        if self.low > 0 or self.high < 0:
            return "better" if self.low > 0 else "worse"
        return "no clear change"


@dataclass(frozen=True)
class Comparison:
    """Two runs of one decider on the cases that both have."""

    decider: str
    cases: int
    only: tuple[int, int]  # cases that only one of the two has
    differences: list[Difference]
    changed: list[str]  # a line for each case whose counts moved


def load_metrics(folder: Path) -> dict[str, Any]:
    """An evaluation's metrics. Raises BadInput when there are none or they are of another make."""
    path = folder / "metrics.json" if folder.is_dir() else folder
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"There is no evaluation in {folder}: {path.name} cannot be read.") from error
    except ValueError as error:
        raise BadInput(f"{path} is not an evaluation's metrics.") from error
    if not isinstance(told, dict) or told.get("schema") != SCHEMA or not isinstance(told.get("deciders"), dict):
        raise BadInput(f"{path} is not an evaluation of this version; run it again.")
    return told


def compare(before: dict[str, Any], after: dict[str, Any], decider: str) -> Comparison:
    """One decider in both. Raises BadInput when there is nothing to compare."""
    old, new = (told["deciders"].get(decider, {}).get("cases", {}) for told in (before, after))
    shared = [name for name in old if name in new]
    if not shared:
        raise BadInput(f"The two evaluations share no case of the decider {decider}.")
    scored = [name for name in shared if old[name]["capability"] in TARGETED and old[name]["split"] == "test"] or shared
    return Comparison(
        decider,
        len(shared),
        (len(old) - len(shared), len(new) - len(shared)),
        [*(_difference(title, key, old, new, scored) for title, key in _COLUMNS), _alarms(old, new, scored)],
        [line for name in shared if (line := _change(name, old[name], new[name]))],
    )


def common_deciders(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before["deciders"] if name in after["deciders"]]


def _difference(title: str, key: str, old: dict[str, Any], new: dict[str, Any], names: list[str]) -> Difference:
    rows = [np.array([(side[n][key], side[n]["turns"], side[n]["events"]) for n in names]) for side in (old, new)]
    low, high = np.percentile(bootstrap_f1(rows[1], 0) - bootstrap_f1(rows[0], 0), (2.5, 97.5))  # the same resamples for both
    before, after = (float(2 * r[:, 0].sum() / max(1, r[:, 1:].sum())) for r in rows)
    return Difference(title, before, after, float(low), float(high))


def _alarms(old: dict[str, Any], new: dict[str, Any], names: list[str]) -> Difference:
    """False alarms in an hour; fewer is better, so the sign of the interval is turned."""
    rows = [np.array([(side[n]["false_alarms"], side[n]["quiet_seconds"] / 3600) for n in names]) for side in (old, new)]
    low, high = np.percentile(_rate(resampled(rows[0])) - _rate(resampled(rows[1])), (2.5, 97.5))  # the same resamples for both
    before, after = (float(_rate(r.sum(axis=0))) for r in rows)
    return Difference("fewer false alarms per quiet hour", before, after, float(low), float(high))


def _rate(sums: Any) -> Any:
    """Alarms over hours."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-9)


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    parts = []
    for key, words in _COUNTED.items():
        if old[key] != new[key]:
            parts.append(f"{words} {old[key]} → {new[key]}")
    if old["events"] != new["events"]:
        parts.append(f"the case itself changed: events {old['events']} → {new['events']}")
    return f"{name}: {', '.join(parts)}" if parts else ""
