"""The table of docs/recipe.md from what docs/ablation.sh measured: python docs/ablation.py FOLDER"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

COLUMNS = {"F1": "f1", "timing F1": "timing_f1", "delay p50": "delay_p50", "false alarms an hour": "false_alarms_per_quiet_hour"}
BASELINES = {"silent": "always silent", "chatty": "always speak"}


def collected(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The scores of every variant, one for each seed."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*/eval/metrics.json")):
        deciders = json.loads(path.read_text(encoding="utf-8"))["deciders"]
        for name, told in BASELINES.items():
            runs[told] = [deciders[name]["test"]["overall"]]
        runs[path.parent.parent.name.rpartition("-")[0]].append(deciders["vlm"]["test"]["overall"])
    return runs


def told(scores: list[dict[str, Any]], key: str) -> str:
    """The mean, and the least and the most where there are several."""
    values = [score[key] for score in scores if score[key] is not None]
    if not values:
        return "–"
    spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def main() -> None:
    runs = collected(Path(sys.argv[1]))
    print(f"| variant | seeds | {' | '.join(COLUMNS)} |")
    print("|---|---|" + "---|" * len(COLUMNS))
    for name, scores in runs.items():
        print(f"| {name} | {len(scores)} | {' | '.join(told(scores, key) for key in COLUMNS.values())} |")
    one = next(iter(runs.values()))[0]
    print(f"\n{one['n_cases']} clips, {one['n_events']} events, {one['quiet_hours']:.2f} quiet hours")


if __name__ == "__main__":
    main()
