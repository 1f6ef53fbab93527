"""Two public annotation formats, their fields exactly so: the released training data, and StreamingBench.

- training data: a JSON list of `{video_name, video_path, task_type, source, question: [{content, time}],
  response: [{content, time}]}`, times are strings of seconds from the start of the video.
- StreamingBench: a JSON list of `{time, video_categories, video_path, questions: [{task_type, question, time_stamp,
  ground_truth_time_stamp, ground_truth_output, required_ability}]}`, times are HH:MM:SS. Its polls end 4 s after the truth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from joyvl_app.dialect.tokens import DELEGATION
from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import Capability, CaseSpec, Expected, Said
from joyvl_app.scenario import Strict

_POLL = 4.0  # seconds after the truth until which StreamingBench asks
_QUOTED = re.compile(r"[\"“]([^\"“”]{1,80})[\"”]")
_MOST_BYTES = 200 << 20


def _seconds(value: Any) -> float:
    """ "4", "7.5", "00:01:05" → seconds."""
    parts = str(value).strip().split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise ValueError(f"'{value}' is no time")
    return sum(float(part) * 60.0**place for place, part in enumerate(reversed(parts)))


_Time = Annotated[float, BeforeValidator(_seconds)]


class _Line(Strict):
    content: str = Field(min_length=1, max_length=2_000)
    time: _Time


class Annotation(Strict):
    """One clip of the released training data."""

    video_name: str
    video_path: str
    task_type: str
    source: str
    question: tuple[_Line, ...]
    response: tuple[_Line, ...]
    # Ours, which the released format does not tell: what a delegation brought back; that a clip is quiet on purpose.
    result: tuple[_Line, ...] = ()
    quiet: bool = False


class _Question(Strict):
    task_type: str
    question: str = Field(min_length=1, max_length=2_000)
    time_stamp: _Time
    ground_truth_time_stamp: _Time
    ground_truth_output: str
    required_ability: str


class StreamingBenchVideo(Strict):
    """One video of StreamingBench's proactive output."""

    time: str
    video_categories: str
    video_path: str
    questions: tuple[_Question, ...]


_TRAINING, _STREAMING = TypeAdapter(tuple[Annotation, ...]), TypeAdapter(tuple[StreamingBenchVideo, ...])


def read_annotations(path: Path) -> Iterator[tuple[CaseSpec, Path]]:
    """Cases of a public annotation file, each with where its video should be. Raises BadInput naming file, entry and field."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{path} is larger than {_MOST_BYTES >> 20} MB; split it.")
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid JSON: {str(error)[:200]}.") from error
    if not isinstance(raw, list):
        raise BadInput(f"{path} is no list of clips; the public annotation files are.")
    streaming = bool(raw) and isinstance(raw[0], dict) and "questions" in raw[0]
    try:
        if streaming:
            yield from _streaming_cases(_STREAMING.validate_python(raw), path)
        else:
            yield from _training_cases(_TRAINING.validate_python(raw), path)
    except ValidationError as error:
        fault = error.errors()[0]
        entry, *place = fault["loc"]
        told = fault["msg"].removeprefix("Value error, ").rstrip(".")
        if isinstance(entry, int):
            raise BadInput(f"{path}, entry {entry + 1}, field {'.'.join(map(str, place))}: {told}.") from error
        raise BadInput(f"{path}, one of its entries, field {'.'.join(map(str, fault['loc']))}: {told}.") from error


def _training_cases(clips: tuple[Annotation, ...], path: Path) -> Iterator[tuple[CaseSpec, Path]]:
    for number, clip in enumerate(clips, start=1):
        responses = sorted(clip.response, key=lambda line: line.time)
        yield (
            CaseSpec(
                id=f"{_slug(path.stem)}-{number:05d}",
                capability=_capability(clip.task_type),
                instructions=tuple(Said(t=line.time, text=line.content) for line in clip.question),
                events=tuple(_expected(line) for line in responses),
                tags=("released",),
                why=f"{clip.task_type}, {clip.source}",
            ),
            _video(path, clip.video_path),
        )


def _expected(line: _Line) -> Expected:
    """A response that hands a question over is a delegation, whatever its words."""
    if DELEGATION in line.content:
        return Expected(t=line.time, kind="delegate")
    return Expected(t=line.time, like=line.content)


def _streaming_cases(videos: tuple[StreamingBenchVideo, ...], path: Path) -> Iterator[tuple[CaseSpec, Path]]:
    for number, video in enumerate(videos, start=1):
        for place, question in enumerate(video.questions, start=1):
            wanted = _QUOTED.search(question.ground_truth_output) or _QUOTED.search(question.question)
            content = wanted.group(1) if wanted else question.ground_truth_output.strip()
            yield (
                CaseSpec(
                    id=f"{_slug(path.stem)}-{number:05d}-{place}",
                    capability=_capability(question.task_type),
                    instructions=(Said(t=question.time_stamp, text=question.question),),
                    events=(Expected(t=question.ground_truth_time_stamp, accept=(content,) if content else (), poll=_POLL),),
                    tags=("streamingbench",),
                    why=f"{question.task_type}, {question.required_ability}",
                ),
                _video(path, video.video_path),
            )


def _video(path: Path, video: str) -> Path:
    """Beside the annotation file, unless its path is whole."""
    return path.parent / video


_WORDS: tuple[tuple[str, Capability], ...] = (
    (r"\bcount", "counting"),
    (r"\btranslat", "translation"),
    (r"\b(comment|narrat)", "commentary"),
    (r"\b(guid|app\b)", "guidance"),
    (r"\b(memory|recall)", "memory"),
    (r"\b(deleg|agent)", "delegation"),
    (r"\b(chat|greet|social)", "greeting"),
    (r"\b(?<!real-)(?<!real )time|\bremind", "time"),
    (r"\b(read|ocr|text)", "reading"),
)


def _capability(task: str) -> Capability:
    """What a task type of theirs is among ours; what is unknown is an alert."""
    return next((name for pattern, name in _WORDS if re.search(pattern, task, re.I)), "monitoring")


def _slug(text: str) -> str:
    return re.sub(r"[^\w.+-]", "-", text).strip("-")[:60] or "cases"
