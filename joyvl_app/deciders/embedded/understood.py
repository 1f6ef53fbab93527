"""What the embedded decider made of an instruction, in a sentence for the page."""

from __future__ import annotations

from joyvl_app.deciders.embedded.phrases import lasting
from joyvl_app.deciders.embedded.specs import Appear, Count, Express, Greet, Leave, Read, Slides, Spec, Spot, Timer
from joyvl_app.deciders.embedded.words import named, plural_of


def understood(specs: tuple[Spec, ...], zh: bool) -> str:
    """ "Watching for: a person appears · counting people"; empty when there is nothing to do."""
    parts = [part for spec in specs if (part := _part(spec, zh))]
    if not parts:
        return ""
    return f"{'正在留意：' if zh else 'Watching for: '}{' · '.join(parts)}"


def _part(spec: Spec, zh: bool) -> str:
    if isinstance(spec, Appear):
        return f"{named(spec.target, 1, zh)}{'出现' if zh else ' appears'}"
    if isinstance(spec, Leave):
        return f"{named(spec.target, 1, zh)}{'离开' if zh else ' leaves'}"
    if isinstance(spec, Count):
        return f"{named(spec.target, 1, zh)}的数量" if zh else f"the number of {plural_of(spec.target)}"
    if isinstance(spec, Read):
        return "要朗读的文字" if zh else "text to read aloud"
    if isinstance(spec, Spot):
        return _wording(spec.phrase, zh)
    if isinstance(spec, Slides):
        return "新的一页或场景" if zh else "a new slide or scene"
    if isinstance(spec, Greet):
        return "要打招呼的人" if zh else "people to greet"
    if isinstance(spec, Express):
        return ("笑容" if zh else "a smile") if spec.kind == "happy" else ("惊讶的表情" if zh else "surprise")
    return _time(spec, zh) if isinstance(spec, Timer) else ""


def _wording(words: str, zh: bool) -> str:
    if not words:
        return "价格" if zh else "a price"
    return f"“{words}”{'字样' if zh else ' on screen'}"


def _time(spec: Timer, zh: bool) -> str:
    span = lasting(spec.seconds, zh)
    if zh:
        return f"每 {span}" if spec.repeat else f"{span}后"
    return f"every {span}" if spec.repeat else f"in {span}"
