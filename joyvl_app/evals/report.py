"""report.html: one file, nothing loaded from elsewhere. The template lies in assets/evals/report.html.j2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from joyvl_app.evals.cases import TARGETED
from joyvl_app.evals.charts import histogram, precision_recall, timeline
from joyvl_app.evals.evaluation import BASELINES, Evaluation, Played
from joyvl_app.evals.render.material import EVALS

# What the embedded decider is held to on the test split, over monitoring, counting, reading, time and greeting.
TARGETS: tuple[tuple[str, str, str, float], ...] = (
    ("f1", "F1", "≥", 0.80),
    ("timing_f1", "timing F1", "≥", 0.85),
    ("delay_p50", "median delay, s", "≤", 1.2),
    ("false_alarms", "false alarms in the quiet footage", "≤", 1),
)


def write_report(result: Evaluation, told: dict[str, Any], path: Path) -> None:
    """Draw `told` (what metrics.json holds) and the runs behind it."""
    environment = Environment(
        loader=FileSystemLoader(EVALS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=_number, interval=_interval, percent=_percent)
    page = environment.get_template("report.html.j2").render(
        told=told,
        baselines=BASELINES,
        systems=[name for name in result.played if name not in BASELINES] or list(result.played),
        targets={name: verdicts(told, name) for name in result.played},
        targeted=TARGETED,
        charts={name: _charts(result, told, name) for name in result.played},
        timelines={name: _timelines(played) for name, played in result.played.items() if name not in BASELINES},
        cases={case.id: case for case in result.suite.cases},
    )
    path.write_text(page, encoding="utf-8")


def verdicts(told: dict[str, Any], decider: str) -> list[dict[str, Any]]:
    """Each target with the figure, and whether it is met."""
    figures = told["deciders"][decider]["test"]["targeted"]
    rows = []
    for key, name, sign, bound in TARGETS:
        figure = figures[key]
        met = figure is not None and (figure >= bound if sign == "≥" else figure <= bound)
        rows.append({"name": name, "figure": figure, "sign": sign, "bound": bound, "met": met, "places": 0 if bound == 1 else 2})
    return rows


def _charts(result: Evaluation, told: dict[str, Any], decider: str) -> dict[str, Markup]:
    test = [played for played in result.played[decider] if played.case.split == "test"] or result.played[decider]
    delays = [delay for played in test for delay in played.outcome.counts.delays]
    sweep = told["deciders"][decider]["sweep"]
    curve = sweep["test"] or sweep["dev"]
    return {
        "histogram": histogram(delays) if delays else Markup(""),
        "curve": precision_recall(curve) if curve else Markup(""),
    }


def _timelines(played: list[Played]) -> list[tuple[Played, Markup]]:
    """Worst first: missed events and false alarms, then everything else by name."""

    def order(p: Played) -> tuple[int, str]:
        counts = p.outcome.counts
        return -(counts.events - counts.hits + counts.false_alarms), p.case.id

    return [(p, timeline(p)) for p in sorted(played, key=order)]


def _number(value: float | None, places: int = 2) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _interval(value: tuple[float, float] | None, places: int = 2) -> str:
    return "" if value is None else f"{value[0]:.{places}f}–{value[1]:.{places}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}%"
