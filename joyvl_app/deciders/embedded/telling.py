"""The scene in words."""

from __future__ import annotations

from joyvl_app.deciders.embedded.board import joined
from joyvl_app.deciders.embedded.phrases import listed, phrase, shortened
from joyvl_app.deciders.embedded.scene import Scene
from joyvl_app.deciders.embedded.words import Target, named, numbered

_MOST_THINGS = 5


def describe(scene: Scene, zh: bool) -> str:
    """What is there now: things by number, then what the screen says."""
    if scene.now is None:
        return phrase("blind", zh)
    things = [named(Target((label,), label), count, zh) for label, count in scene.things().items()][:_MOST_THINGS]
    if scene.faces_only():
        things.append("一张脸" if zh else "a face")
    if scene.burning():
        things.append("火焰" if zh else "a flame")
    parts = [phrase("see", zh, things=listed(things, zh))] if things else []
    if scene.board.visible:
        parts.append(tell_text(scene, zh))
    return " ".join(parts) or phrase("see_nothing", zh)


def tell_count(scene: Scene, target: Target, zh: bool) -> str:
    count = steady_count(scene, target)
    if count == 0:
        return phrase("see_none", zh, what=named(target, 0, zh))
    return phrase("see", zh, things=numbered(target, count, zh))


def tell_text(scene: Scene, zh: bool) -> str:
    texts = [entry.text for entry in scene.board.visible]
    return phrase("see_text", zh, text=shortened(joined(texts), 300)) if texts else phrase("no_text", zh)


def steady_count(scene: Scene, target: Target) -> int:
    """How many are in view, as most looks of the last second have it."""
    counts = sorted(level.count for level in scene.levels(target.labels, 1.2))
    return counts[len(counts) // 2] if counts else 0
