"""A study's votes as files: JSONL, CSV and Parquet with a data card, in a folder that `datasets.load_dataset` reads."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval_ui.results import cells
from eval_ui.studies import QUESTIONS
from eval_ui.tally import Tally, Vote
from joyvl_app.errors import BadInput

FORMATS = ("jsonl", "csv", "parquet")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def records(tally: Tally, names: bool) -> list[dict[str, Any]]:
    """A row for each vote, practice and attention checks too (`kind` tells). With `names` false the systems are letters.

    A rater is a number within the study; the cookie that they were known by is not in it.
    """
    return _rows(tally, tally.votes, names)


def _rows(tally: Tally, votes: Sequence[Vote], names: bool) -> list[dict[str, Any]]:
    called = _names(tally, names)
    flagged = {number for number, one in tally.panel.items() if one.flagged}
    return [_record(tally.study, vote, called, vote.rater in flagged) for vote in votes]


def packed(tally: Tally, names: bool, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """The files of an export by name: the data card, and the votes in each format."""
    rows = records(tally, names)
    writers = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
    files = {f"data/votes.{name}" if name == "parquet" else f"votes.{name}": writers[name](rows) for name in formats}
    earlier = {"corrected.jsonl": _jsonl(_rows(tally, tally.corrections, names))} if tally.corrections else {}
    return {"README.md": _card(tally, rows, names, formats).encode(), **files, **earlier}


def export(tally: Tally, folder: Path, names: bool, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write an export into an empty folder; returns its files. Raises BadInput where an older one lies: it may show names."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"The folder {folder} is not empty; give another one.")
    written = []
    for name, content in packed(tally, names, formats).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def zipped(tally: Tally, names: bool) -> bytes:
    """An export as one file, for the page."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in packed(tally, names).items():
            archive.writestr(name, content)
    return made.getvalue()


def _names(tally: Tally, shown: bool) -> dict[str, str]:
    return {name: name if shown else f"system {_letters(number)}" for number, name in enumerate(tally.systems)}


def _letters(number: int) -> str:
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _record(study: str, vote: Vote, called: dict[str, str], flagged: bool) -> dict[str, Any]:
    trap = vote.kind == "trap"
    sides = [called.get(vote.subject, ""), called.get(vote.opponent, "")]
    left, right = ("", "") if trap else reversed(sides) if vote.swapped else sides
    told = {"left": left, "right": right, "tie": "tie", "both_bad": "both_bad"}
    return {
        "study": study, "item": vote.item, "aspect": vote.aspect, "kind": vote.kind, "left": left, "right": right,
        **{f"{question}_answer": vote.answers[question] for question in QUESTIONS},
        **{f"{question}_winner": "" if trap else told[vote.answers[question]] for question in QUESTIONS},
        "comment": vote.comment, "rater": vote.rater, "rater_flagged": flagged, "revision": vote.revision,
        "watched_left": round(vote.watched[0], 2), "watched_right": round(vote.watched[1], 2), "spent": round(vote.spent, 1),
        "device": vote.device, "day": time.strftime("%Y-%m-%d", time.gmtime(vote.at)),
    }  # fmt: skip


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    made = io.StringIO(newline="")
    writer = csv.writer(made)
    writer.writerow(_FIELDS)
    writer.writerows([_harmless(row[name]) for name in _FIELDS] for row in rows)
    return b"\xef\xbb\xbf" + made.getvalue().encode()  # spreadsheets take it for UTF-8 then


def _harmless(value: Any) -> Any:
    """A spreadsheet would calculate what begins so."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in _FIELDS.items()])
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), made)
    return made.getvalue()


_FIELDS: dict[str, type] = {
    "study": str, "item": str, "aspect": str, "kind": str, "left": str, "right": str,
    **{f"{question}_answer": str for question in QUESTIONS}, **{f"{question}_winner": str for question in QUESTIONS},
    "comment": str, "rater": int, "rater_flagged": bool, "revision": int, "watched_left": float, "watched_right": float,
    "spent": float, "device": str, "day": str,
}  # fmt: skip


def _card(tally: Tally, rows: list[dict[str, Any]], names: bool, formats: Sequence[str]) -> str:
    """The data card: what the votes are, how they came about, what they say."""
    called, counted = _names(tally, names), tally.rated(with_flagged=False)
    files = "data/votes.parquet" if "parquet" in formats else f"votes.{formats[0]}"
    flagged = [one for one in tally.panel.values() if one.flagged]
    size = "n<1K" if len(rows) < 1_000 else "1K<n<10K" if len(rows) < 10_000 else "10K<n<100K"
    blind = "without knowing which was which" if tally.about["blind"] else "**not blind**: recordings showed whose app it was"
    lines = [
        "---", f"pretty_name: {json.dumps(tally.about['title']['en'], ensure_ascii=False)}", "language: [en, zh]",
        f"size_categories: [{size}]", "tags: [human-preferences, video, pairwise]",
        "configs:", "- config_name: default", "  data_files:", "  - split: train", f"    path: {files}", "---", "",
        f"# Preferences of the study {tally.study}", "",
        f"People compared {called.get(tally.about['subject'], '')} with other assistants, two at a time on the same clip,",
        f"{blind}. Sides were swapped at random; a vote could be given only after both sides had played.", "",
        f"{len(rows)} votes of {len(tally.panel)} raters, one a row; {len(counted)} of them count in the results. Left out:",
        f"practice, gold, attention checks, and {len(flagged)} raters who failed two attention checks (`rater_flagged`).",
        f"The study is {tally.state}.", "",
        "`*_answer` is what was clicked (left, right, tie, both_bad), `*_winner` the system that it means. A rater is a number;",
        "no name, address or cookie is in the data. Comments are as their writers left them. What a vote was before it was",
        "corrected stands in corrected.jsonl.", "",
        "| aspect | opponent | votes | win | tie | both bad | loss | win share, 95% Wilson |", "|---" * 8 + "|",
    ]  # fmt: skip
    for cell in cells(counted):
        if cell.question == "overall":
            share = "–" if cell.wilson is None else f"{cell.win_share:.0%} ({cell.wilson[0]:.0%}–{cell.wilson[1]:.0%})"
            counts = " | ".join(str(cell.counts[name]) for name in ("win", "tie", "both_bad", "loss"))
            opponent = called[cell.opponent].replace("|", "\\|")
            lines.append(f"| {cell.aspect} | {opponent} | {cell.votes} | {counts} | {share} |")
    return "\n".join(lines) + "\n"
