"""A study out of evaluation cases: every system plays every case through the same Session, and their logs are the sides."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import av
import yaml

from eval_ui.baselines import play
from eval_ui.media import Cut, encode
from eval_ui.studies import ID, Study, read_study
from joyvl_app.build import DECIDERS
from joyvl_app.domain import Image
from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import ASPECTS, Case
from joyvl_app.evals.clips import clip_frames
from joyvl_app.evals.suite import Suite
from joyvl_app.settings import Settings

_LONGEST = 120.0  # seconds of a case that somebody would watch twice
_ENOUGH = 4  # items of which one may serve for practice
_TRAP_EVERY = 10  # rated items for one attention check
_ASPECT_OF = {capability: aspect for aspect, capabilities in ASPECTS.items() for capability in capabilities}


def chosen_cases(suite: Suite, most: int) -> list[Case]:
    """The cases that people can judge: not looped, of a bearable length, with something asked; capabilities in turn."""
    fit = [case for case in suite.cases if not case.looped and case.seconds <= _LONGEST and _asked(case)]
    if not fit:
        raise BadInput(
            f"None of the cases can be rated: it takes an instruction and a clip of at most {_LONGEST:g} s that plays once."
        )
    by: dict[str, list[Case]] = {}
    for case in sorted(fit, key=lambda case: (case.split != "test", case.id)):
        by.setdefault(case.spec.capability, []).append(case)
    turns = [cases[place] for place in range(len(fit)) for cases in by.values() if place < len(cases)]
    return turns[:most]


def check_plan(name: str, systems: Sequence[str], folder: Path) -> None:
    """All that can be wrong before a clip is looked at. Raises BadInput or MissingPart."""
    for system in systems:
        DECIDERS.check(system)
    if len(set(systems)) < 2:
        raise BadInput("A comparison needs two systems: give --system twice, for example embedded and turn_based.")
    if not re.fullmatch(ID, name):
        raise BadInput("A study's name is made of letters, digits, points and dashes, 64 at most: it stands in addresses.")
    if any(system in name for system in systems):
        raise BadInput("Raters see the study's name; it must not name the systems that they compare.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"The folder {folder} is not empty; give another one with --out.")


def create(
    name: str, suite: Suite, cases: Sequence[Case], systems: Sequence[str], settings: Settings, folder: Path, processes: int,
    told: Callable[[str], None],
) -> Study:  # fmt: skip
    """Run `systems` on the cases and write a study into `folder`. Raises BadInput or MissingPart before anything runs."""
    check_plan(name, systems, folder)
    kept = play(suite, cases, systems, settings, folder / "logs", processes, told)
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput("No case could be played by all systems, so there is nothing to compare.")
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    items = [_item(case, suite, systems, folder) for case in kept]
    rated, practice = (items[:-1], [_practice(items[-1])]) if len(items) >= _ENOUGH else (items, [])
    spec = {
        "id": name, "title": {"en": "Which assistant is more present?", "zh": "哪个助手更在场？"},
        "subject": systems[0], "per_rater": min(20, len(rated) * (len(systems) - 1)),
        "items": [*practice, *rated, *_traps(rated)],
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")
    return read_study(folder)


def _asked(case: Case) -> bool:
    return bool(case.spec.instruction.strip() or case.spec.instructions or case.spec.heard)


def _item(case: Case, suite: Suite, systems: Sequence[str], folder: Path) -> dict[str, Any]:
    spec = case.spec
    said = [{"t": each.t, "text": each.text} for each in sorted((*spec.instructions, *spec.heard), key=lambda each: each.t)]
    first = spec.instruction.strip() or said.pop(0)["text"]
    return {
        "id": case.id[:64], "aspect": _ASPECT_OF.get(spec.capability, spec.capability), "instruction": first,
        "language": spec.language, "clip": _clip(case, suite, folder), **({"asked": said} if said else {}),
        "sides": {system: {"log": f"logs/{system}/{case.id}.jsonl"} for system in systems},
    }  # fmt: skip


def _clip(case: Case, suite: Suite, folder: Path) -> str:
    """What the systems saw, as a file: a clip that is shown whole is copied, a part of one cut out, a montage filmed anew."""
    clip, spec = suite.clips[case.clip], case.spec
    whole = not clip.edit and not spec.start and spec.end is None
    name = f"clips/{clip.path.name if whole else f'{case.id}.mp4'}"
    if not whole and clip.edit:
        _film(clip_frames(clip, spec), folder / name)
    elif not whole:
        encode(clip.path, folder / name, Cut(spec.start, spec.start + case.seconds))
    elif not (folder / name).exists():
        shutil.copyfile(clip.path, folder / name)
    return name


def _film(frames: Iterable[tuple[Image, int]], path: Path) -> None:
    with av.open(str(path), "w") as made:
        stream = None
        for image, rate in frames:
            if stream is None:
                stream = made.add_stream("libx264", rate=rate, options={"crf": "20"})
                stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
                stream.pix_fmt = "yuv420p"
            even = image[: stream.height, : stream.width].copy()
            made.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        if stream:
            made.mux(stream.encode())


def _practice(item: dict[str, Any]) -> dict[str, Any]:
    """Two sides are enough to learn how it works."""
    return {**item, "kind": "practice", "sides": dict(list(item["sides"].items())[:2])}


def _traps(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attention checks: one for so many items, two at least, since two failed ones flag a rater."""
    answers = ("tie", "left", "both_bad", "right")
    number = min(len(items), max(2, len(items) // _TRAP_EVERY))
    return [
        {
            "id": f"check-{place + 1}", "kind": "trap", "aspect": "attention", "instruction": items[place]["instruction"],
            "clip": items[place]["clip"], "expect": answers[place % len(answers)],
        }
        for place in range(number)
    ]  # fmt: skip
