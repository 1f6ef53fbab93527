"""Case files → cases. Everything is read and checked before anything runs; every fault names file, case and field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import Case, CaseSpec, Split
from joyvl_app.evals.clips import Clip, ClipSpec, clip_seconds, find_clip
from joyvl_app.evals.formats import read_annotations
from joyvl_app.scenario import Strict, read_yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
_MOST_CASES = 100_000


class CaseFile(Strict):
    """One YAML file: a clip and the cases on it."""

    split: Split = "test"
    clip: ClipSpec
    cases: tuple[CaseSpec, ...] = Field(min_length=1, max_length=_MOST_CASES)


@dataclass
class Suite:
    """Cases that can run, their clips by name, and the cases that cannot, each with its reason."""

    cases: list[Case] = field(default_factory=list)
    clips: dict[str, Clip] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)  # case id, why


def load_suite(paths: Sequence[Path], cache: Path) -> Suite:
    """All cases of the files and folders given. Raises BadInput on the first fault.

    A clip that must be fetched from a package and cannot be, and a video that a public annotation file names and that is not
    there, is no fault: its cases are listed in `missing`.
    """
    suite = Suite()
    for path in _files(paths):
        if path.suffix == ".json":
            _add_annotations(suite, path)
        else:
            _add_file(suite, path, cache)
    _refuse_repeats(suite)
    if not suite.cases and not suite.missing:
        raise BadInput(f"No case lies in {', '.join(str(path) for path in paths)}.")
    return suite


def read_case_file(path: Path) -> CaseFile:
    """Raises BadInput naming file, case and field."""
    raw = read_yaml(path, f"case file {path}")
    try:
        return CaseFile.model_validate(raw)
    except ValidationError as error:
        raise BadInput(f"{path}: {_told(error, raw)}.") from error


def _files(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*") if found.suffix in (".yaml", ".yml"))
        elif path.is_file():
            yield path
        else:
            raise BadInput(f"There is no file or folder {path}.")


def _add_file(suite: Suite, path: Path, cache: Path) -> None:
    file = read_case_file(path)
    name = str(path)
    try:
        suite.clips[name] = find_clip(file.clip, path.parent, PROJECT, cache)
    except BadInput as error:
        if not file.clip.package:
            field = "clip.screenplay" if file.clip.screenplay else "clip.file"
            raise BadInput(f"{path}, cases {_ids(file)}, field {field}: {error}") from error
        suite.missing += [(case.id, str(error)) for case in file.cases]
        return
    try:
        whole = clip_seconds(suite.clips[name])
    except BadInput as error:
        raise BadInput(f"{path}, cases {_ids(file)}, field clip: {error}") from error
    for spec in file.cases:
        seconds = _length(path, spec, whole)
        _check_times(path, spec, seconds)
        clip = suite.clips[name]
        looped = spec.loop is not None or any(cut.loops for cut in clip.edit)
        suite.cases.append(Case(spec, name, file.split, name, spec.footage or clip.footage, seconds, looped))


def _add_annotations(suite: Suite, path: Path) -> None:
    for spec, video in read_annotations(path):
        if not video.is_file():
            suite.missing.append((spec.id, f"{path.name}: there is no video {video}"))
            continue
        clip = suite.clips.setdefault(str(video), Clip(video, "real"))
        seconds = clip_seconds(clip)
        _check_times(path, spec, seconds)
        suite.cases.append(Case(spec, str(path), "test", str(video), "real", seconds))


def _length(path: Path, spec: CaseSpec, whole: float) -> float:
    for name, t in (("start", spec.start), ("end", spec.end or 0.0)):
        if t >= whole + 0.5:
            raise BadInput(f"{path}, case {spec.id}, field {name}: {t:g} s lies after the end of the clip ({whole:.1f} s).")
    return spec.loop.seconds if spec.loop else min(spec.end or whole, whole) - spec.start


def _check_times(path: Path, spec: CaseSpec, seconds: float) -> None:
    """Everything must happen while the clip plays."""
    times = [("events", event.last) for event in spec.events]
    times += [("quiet", end) for _, end in spec.quiet or ()]
    times += [("heard", said.t) for said in spec.heard] + [("instructions", said.t) for said in spec.instructions]
    for name, t in times:
        if t > seconds + 0.5:
            raise BadInput(f"{path}, case {spec.id}, field {name}: {t:g} s lies after the end of the clip ({seconds:.1f} s).")


def _refuse_repeats(suite: Suite) -> None:
    seen: dict[str, str] = {}
    for case in suite.cases:
        if case.id in seen:
            raise BadInput(f"{case.file}, case {case.id}, field id: there is already a case of this name in {seen[case.id]}.")
        seen[case.id] = case.file


def _ids(file: CaseFile) -> str:
    return ", ".join(case.id for case in file.cases)


def _told(error: ValidationError, raw: Any) -> str:
    """The first fault in words: case, field, what is wrong."""
    fault = error.errors()[0]
    place = list(fault["loc"])
    case = ""
    if len(place) > 1 and place[0] == "cases" and isinstance(place[1], int):
        case = f"case {_case_name(raw, place[1])}, "
        place = place[2:]
    text = fault["msg"].removeprefix("Value error, ").rstrip(".")
    if fault["type"] == "extra_forbidden":
        text = "there is no such field"
    where = ".".join(str(part) for part in place)
    return f"{case}field {where}: {text}" if where else f"{case}{text}"


def _case_name(raw: Any, number: int) -> str:
    try:
        return str(raw["cases"][number]["id"])
    except (KeyError, IndexError, TypeError):
        return f"number {number + 1}"
