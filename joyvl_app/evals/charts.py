"""Drawings of a report as inline SVG: timelines, histogram, precision-recall. Colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from joyvl_app.evals.evaluation import Played

_WIDE = 900


def timeline(played: Played) -> Markup:
    """Expected events above, spoken turns below, quiet spans behind; hits joined by a line."""
    case, outcome, turns = played.case, played.outcome, played.run.turns
    scale = _WIDE / max(case.seconds, 1.0)
    events = [event for event in case.spec.events if event.kind == "speak"]
    drawn = [_band(start * scale, end * scale) for start, end in case.quiet]
    for number, answer in outcome.hits.items():
        drawn.append(
            Markup('<line class="tie" x1="{:.1f}" y1="16" x2="{:.1f}" y2="24"/>').format(
                events[number].t * scale, turns[answer].t * scale
            )
        )
    for number, event in enumerate(events):
        start, end = (max(0.0, t) * scale for t in event.window)
        kind = "met" if number in outcome.hits else "missed"
        drawn.append(Markup('<rect class="window" x="{:.1f}" y="6" width="{:.1f}" height="6"/>').format(start, end - start))
        drawn.append(_mark(event.t * scale, 4, kind, f"{event.t:g} s: {', '.join(event.accept) or event.like or 'anything'}"))
    for place, turn in enumerate(turns):
        drawn.append(_mark(turn.t * scale, 24, _kind(place, outcome), f"{turn.t:.1f} s: {turn.text}"))
    drawn += [_mark(e.t * scale, 4, "hard", f"{e.t:g} s: a hard question") for e in case.spec.events if e.kind == "delegate"]
    drawn += [_mark(t * scale, 24, "hard", f"{t:.1f} s: delegated") for t in played.run.delegated]
    body = Markup("").join(drawn)
    title = f"{case.id}: {len(outcome.hits)} of {len(events)} events met, {len(turns)} turns"
    return Markup('<svg class="timeline" viewBox="-4 0 {} 50" role="img" aria-label="{}">{}{}</svg>').format(
        _WIDE + 8, title, body, _axis(case.seconds, scale)
    )


def histogram(delays: Sequence[float]) -> Markup:
    """Delays of all hits in bins of a quarter second, −1 … +2 s; the last bin holds everything later."""
    bins = [-1 + 0.25 * step for step in range(13)]
    counts = [sum(low <= delay < low + 0.25 for delay in delays) for low in bins[:-1]] + [sum(d >= bins[-1] for d in delays)]
    most = max(counts, default=0) or 1
    bars = [
        Markup('<rect class="bar" x="{}" y="{:.1f}" width="34" height="{:.1f}"><title>{:+.2f} s: {}</title></rect>').format(
            20 + 40 * i, 110 - 100 * number / most, 100 * number / most, low, number
        )
        for i, (low, number) in enumerate(zip(bins, counts, strict=True))
    ]
    ticks = [_label(20 + 40 * i, 126, f"{low:+g}") for i, low in enumerate(bins) if i % 2 == 0]
    label = f"delays of {len(delays)} answered events, seconds"
    return Markup('<svg class="chart" viewBox="0 0 560 134" role="img" aria-label="{}">{}{}</svg>').format(
        label, Markup("").join(bars), Markup("").join(ticks)
    )


def precision_recall(curve: Sequence[dict[str, Any]]) -> Markup:
    """Recall to the right, precision upwards, a point for each sensitivity."""
    drawn = [p for p in curve if p["recall"] is not None and p["precision"] is not None]
    points = [(p["recall"], p["precision"], p["sensitivity"]) for p in drawn]
    places = [(40 + 220 * recall, 230 - 220 * precision, s) for recall, precision, s in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    dots = [
        Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>{}').format(
            x, y, f"sensitivity {s:+g}", _label(x + 7, y + 4 + 11 * i, f"{s:+g}", "start")
        )
        for i, (x, y, s) in enumerate(places)
    ]
    grid = [_label(40 + 220 * v, 246, f"{v:g}") for v in (0, 0.5, 1)] + [
        _label(34, 234 - 220 * v, f"{v:g}", "end") for v in (0, 0.5, 1)
    ]
    return Markup(
        '<svg class="chart square" viewBox="0 0 300 252" role="img" aria-label="precision over recall">'
        '<path class="frame" d="M40 10V230H260"/><polyline class="curve" points="{}"/>{}{}</svg>'
    ).format(path, Markup("").join(dots), Markup("").join(grid))


def _kind(place: int, outcome: Any) -> str:
    if place in outcome.hits.values():
        return "met"
    if place in outcome.false_alarms:
        return "alarm"
    return "again" if place in outcome.duplicates else "other"


def _mark(x: float, y: float, kind: str, told: str) -> Markup:
    return Markup('<rect class="mark {}" x="{:.1f}" y="{}" width="4" height="12"><title>{}</title></rect>').format(
        kind, x - 2, y, told
    )


def _band(start: float, end: float) -> Markup:
    return Markup('<rect class="quiet" x="{:.1f}" y="0" width="{:.1f}" height="40"/>').format(start, end - start)


def _axis(seconds: float, scale: float) -> Markup:
    step = next(step for step in (5, 10, 30, 60, 300, 600, 86_400) if seconds / step <= 16)
    ticks = range(0, int(seconds) + 1, step)
    return Markup("").join(_label(t * scale, 49, f"{t // 60}:{t % 60:02d}", "middle" if t else "start") for t in ticks)


def _label(x: float, y: float, text: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, escape(text))
