"""Episodes as files: videos, released-format annotations and case files, for `data convert`, `eval` and `watch`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import CaseSpec
from joyvl_app.evals.render.film import film, fingerprint
from joyvl_app.pools import process_pool
from joyvl_app.train.episodes import Episode, episode
from joyvl_app.train.staging import enlarged
from joyvl_app.train.states import alone_in, claim, write_whole
from joyvl_app.train.talks import Line
from joyvl_app.train.worlds import Kind

_FPS = 4


def render(kind: Kind, seeds: Sequence[int], family: str | None, out: Path, processes: int, told: Callable[[str], None]) -> Path:
    """Write `videos/`, `cases/` and `annotations.json` (which it returns), and leave nothing else in them: a folder is one
    world's and one family's from one seed on. Raises BadInput when nothing can be written, or the folder is another's.
    """
    with alone_in(out):
        claim(out / "render.json", {"world": kind, "family": family or "", "seed": seeds[0]}, "clips")
        try:
            for name in ("videos", "cases"):
                (out / name).mkdir(parents=True, exist_ok=True)
            annotations = _written(partial(_write, kind, family, out), seeds, processes, told)
            _forget(out, {Path(annotation["video_path"]).stem for annotation in annotations})
            write_whole(out / "annotations.json", json.dumps(annotations, ensure_ascii=False, indent=1) + "\n")
        except OSError as error:
            raise BadInput(f"Cannot write to {out}: {error.strerror or error}.") from error
        except BrokenProcessPool as error:
            raise BadInput("A process that rendered was killed, most likely for want of memory; try --jobs 1.") from error
    return out / "annotations.json"


def _written(
    write: Callable[[int], dict[str, Any]], seeds: Sequence[int], processes: int, told: Callable[[str], None]
) -> list[dict[str, Any]]:  # fmt: skip
    annotations = []
    with process_pool(processes) as pool:
        for annotation in pool.map(write, seeds, chunksize=4):
            annotations.append(annotation)
            told(annotation["video_name"])
    return annotations


def _forget(out: Path, kept: set[str]) -> None:
    """Clips of an earlier, longer or other rendering of these seeds."""
    for path in (*(out / "videos").glob("*.mp4"), *(out / "cases").glob("*.yaml")):
        if path.stem not in kept:
            path.unlink()


def _write(kind: Kind, family: str | None, out: Path, seed: int) -> dict[str, Any]:
    made = episode(kind, seed, family)
    play = enlarged(made.play).model_copy(update={"fps": _FPS})
    video = out / "videos" / f"{made.talk.id}-{fingerprint(play)[:8]}.mp4"  # one of this name was made before a stop
    if not video.exists():
        film(play, out / "videos").replace(video)
    case = {
        "split": "test" if kind != "train" else "dev",
        "clip": {"file": f"../videos/{video.name}", "footage": "rendered", "source": f"rendered, seed {seed}"},
        "cases": [_case_of(made).model_dump(mode="json", exclude_defaults=True)],
    }
    (out / "cases" / f"{video.stem}.yaml").write_text(yaml.safe_dump(case, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return annotation_of(made, f"videos/{video.name}")


def _case_of(made: Episode) -> CaseSpec:
    """Without the sentences that pass a result on: in an evaluation the brain is asked, and what it finds is another thing."""
    results = {line.text for line in made.talk.results}
    events = tuple(event for event in made.case.events if not results.intersection(event.accept))
    return made.case.model_copy(update={"events": events})


def annotation_of(made: Episode, video: str) -> dict[str, Any]:
    """In the released format; `result` and `quiet` are ours."""
    talk = made.talk
    return {
        "video_name": Path(video).name, "video_path": video, "task_type": talk.family, "source": "rendered",
        "question": _lines(talk.questions), "response": _lines(talk.responses), "result": _lines(talk.results),
        "quiet": not talk.responses,
    }  # fmt: skip


def _lines(lines: Sequence[Line]) -> list[dict[str, str]]:
    return [{"content": line.text, "time": f"{line.t:g}"} for line in lines]
