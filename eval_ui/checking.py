"""Whether a study can be shown: every clip, recording and log is opened before anything is written; all faults at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eval_ui.captions import Caption, blotted, read_captions
from eval_ui.media import Cut, Probe, probe
from eval_ui.studies import Item, Side, Study
from joyvl_app.errors import BadInput

_Look = Callable[[Path], Probe]
_MOST_TOLD = 20
_SHORTEST, _LONGEST = 1.0, 1_800.0  # seconds of an item
_APART = 0.5  # seconds by which sides may differ without a word
_TRAP = {
    "left": "“Left”. 请三题都选“左边”。",
    "right": "“Right”. 请三题都选“右边”。",
    "tie": "“Tie”. 请三题都选“平局”。",
    "both_bad": "“Both bad”. 请三题都选“都不好”。",
}


@dataclass(frozen=True)
class Shown:
    """One side of an item, before it is made ready: a stretch of a file, and what is said meanwhile.

    `own_voice`: the file's own sound is the assistant's (a recording as it is), so none is made from the captions.
    """

    path: Path
    cut: Cut
    turns: list[Caption]
    own_voice: bool
    blind: bool
    scene: bool = False  # the file is the item's clip: its sound is the scene's, on every side


@dataclass(frozen=True)
class Checked:
    """An item that can be shown, its sides by system ("" and "=" for a trap's)."""

    item: Item
    sides: dict[str, Shown]

    @property
    def seconds(self) -> float:
        return max(side.cut.seconds for side in self.sides.values())

    @property
    def blind(self) -> bool:
        """Whether nothing but the words tells the sides apart: all show the same scene, or all a cut of somebody's screen."""
        sides = list(self.sides.values())
        return all(side.blind for side in sides) and len({side.path if side.cut.crop is None else None for side in sides}) == 1


@dataclass
class Report:
    """What can be shown, and what its maker should know."""

    items: list[Checked]
    notes: list[str]

    @property
    def blind(self) -> bool:
        return all(checked.blind for checked in self.items)


def check(study: Study) -> Report:
    """Raises BadInput naming every fault, one a line."""
    report, faults = Report([], []), list[str]()
    look = cache(probe)  # several items may lie in one clip
    for item in study.spec.items:
        try:
            checked = _trap(study, item, look(study.path(item.clip))) if item.kind == "trap" else _sides(study, item, look)
            report.items.append(checked)
            report.notes += _notes(checked)
        except BadInput as error:
            faults.append(f"item {item.id}: {str(error).rstrip('.')}")
    report.notes += _notes_of_study(study)
    if faults:
        more = f"\n… and {len(faults) - _MOST_TOLD} more" if len(faults) > _MOST_TOLD else ""
        raise BadInput("The study cannot be shown:\n" + "\n".join(faults[:_MOST_TOLD]) + more)
    return report


def _notes_of_study(study: Study) -> list[str]:
    notes = [f"raters will read the name of a system: “{text[:80]}”" for text in study.spec.telling]
    if sum(item.kind == "trap" for item in study.spec.items) == 1:
        notes.append("one attention check flags nobody: a rater is flagged who fails two")
    return notes


def _sides(study: Study, item: Item, look: _Look) -> Checked:
    clip = _stretch(item, look(study.path(item.clip))) if item.clip else None
    return Checked(item, {name: _side(study, item, name, side, clip, look) for name, side in item.sides.items()})


def _side(study: Study, item: Item, name: str, side: Side, clip: Cut | None, look: _Look) -> Shown:
    try:
        if side.log:
            assert clip is not None
            turns = read_captions(study.path(side.log), clip.start, clip.seconds)
            return Shown(study.path(item.clip), clip, blotted(turns, study.spec.hide), False, True, scene=True)
        return _recording(study, item, side, clip, look(study.path(side.recording)))
    except BadInput as error:
        raise BadInput(f"side {name}: {error}") from error


def _recording(study: Study, item: Item, side: Side, clip: Cut | None, about: Probe) -> Shown:
    """A recording shows whose app it is; what hides that is the clip, or the recording's scene, under written-down turns."""
    length = clip.seconds if clip else (item.end - item.start if item.end else about.seconds - side.offset)
    cut = _bounded(Cut(side.offset, min(about.seconds, side.offset + length), side.crop), side.recording, about)
    turns = read_captions(study.path(side.turns), side.offset, cut.seconds, headed=False) if side.turns else []
    turns = blotted(turns, study.spec.hide)
    if side.turns and clip and not side.crop:
        return Shown(study.path(item.clip), clip, turns, False, True, scene=True)
    return Shown(study.path(side.recording), cut, turns, not side.turns, bool(side.turns and side.crop))


def _trap(study: Study, item: Item, about: Probe) -> Checked:
    """The same clip twice, with the answer to give standing under both; a little later on the right, lest the files be equal."""
    cut, path = _stretch(item, about), study.path(item.clip)
    told = f"Attention check: please answer all three questions with {_TRAP[item.expect]}"
    starts = (min(1.0, cut.seconds / 4), min(1.2, cut.seconds / 3))
    shown = [Shown(path, cut, [Caption(start, cut.seconds, told)], False, True, scene=True) for start in starts]
    return Checked(item, dict(zip(("", "="), shown, strict=True)))


def _stretch(item: Item, about: Probe) -> Cut:
    end = about.seconds if item.end is None else item.end
    if item.start >= about.seconds or end > about.seconds + 0.5:
        raise BadInput(f"{item.clip} ends at {about.seconds:.1f} s, before the item does")
    return _bounded(Cut(item.start, min(end, about.seconds)), item.clip, about)


def _bounded(cut: Cut, name: str, about: Probe) -> Cut:
    if not _SHORTEST <= cut.seconds <= _LONGEST:
        lasts = f"{name} ends at {about.seconds:.1f} s, and {max(0.0, cut.seconds):.1f} s of it would be shown"
        raise BadInput(f"{lasts}; an item plays {_SHORTEST:g} to {_LONGEST:g} s")
    return cut


def _notes(checked: Checked) -> Sequence[str]:
    lengths = [side.cut.seconds for side in checked.sides.values()]
    notes = []
    if max(lengths) - min(lengths) > _APART:
        notes.append(
            f"item {checked.item.id}: its sides play {min(lengths):.1f} and {max(lengths):.1f} s; "
            "the shorter stays on its last picture"
        )
    if not all(side.blind for side in checked.sides.values()):
        notes.append(
            f"item {checked.item.id} is not blind: a recording shows whose app it is (write down its turns to mend that)"
        )
    return notes
