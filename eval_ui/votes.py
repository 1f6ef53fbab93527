"""Votes and their corrections, in the transaction that is handed over."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, insert, select, update

from eval_ui.ballots import Rater, open_study
from eval_ui.studies import QUESTIONS, Answer
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, CorrectionRow, VoteRow
from joyvl_app.store.repository import storable

Device = Literal["phone", "tablet", "desktop", "unknown"]
MOST_COMMENT = 1_000
_WATCHED = 0.95  # of each side that must have played
_HURRY = 0.9  # of the longer side's length that must have passed since it was given
_SLACK = 0.5  # seconds
_A, _C = AssignmentRow, ComparisonRow


class AlreadyVoted(BadInput):
    """There is a vote already, of another tab perhaps; `revision` is which."""

    def __init__(self, revision: int) -> None:
        super().__init__("You have rated this item already, perhaps in another tab. That answer stands; go back to change it.")
        self.revision = revision


@dataclass(frozen=True)
class Ballot:
    """What a rater says of one assignment, as it stood on the page. `replaces` is the revision that a correction corrects."""

    assignment: str
    submission: str
    quality: Answer
    timing: Answer
    overall: Answer
    comment: str
    watched: tuple[float, float]
    spent: float
    device: Device
    replaces: int | None = None


def cast(connection: Connection, rater: Rater, ballot: Ballot, now: float) -> int:
    """Store a vote or its correction; returns its revision. The same submission twice is stored once.

    Raises BadInput when it is not this rater's, comes too early, or the study is closed; AlreadyVoted when there is one.
    """
    open_study(connection, rater.study, "shared")
    of_rater = _A.rater_id == rater.id
    asked = (
        select(_A.drawn, _C.id, _C.body)
        .join(ComparisonRow, _C.id == _A.comparison_id)
        .where(_A.id == ballot.assignment, of_rater)
    )
    row = connection.execute(asked.with_for_update(of=AssignmentRow)).first()  # two processes may be sent the same
    if row is None:
        raise BadInput("This item was not given to you. Please reload the page.")
    held = connection.execute(select(VoteRow).where(VoteRow.assignment_id == ballot.assignment)).mappings().first()
    if held is None:
        _refuse_unwatched(json.loads(row.body)["sides"], ballot, now - row.drawn)
        connection.execute(insert(VoteRow).values(_values(ballot, 0, now)))
        connection.execute(update(ComparisonRow).where(_C.id == row.id).values(votes=_C.votes + 1))
        return 0
    if _repeats(held, ballot) or _was_corrected(connection, ballot):
        return int(held["revision"])
    if ballot.replaces != held["revision"] or held["submission"] == ballot.submission:
        raise AlreadyVoted(int(held["revision"]))
    connection.execute(insert(CorrectionRow).values(**held))
    revision = int(held["revision"]) + 1
    values = _values(_with_before(ballot, held), revision, now)
    connection.execute(update(VoteRow).where(VoteRow.assignment_id == ballot.assignment).values(values))
    return revision


def _with_before(ballot: Ballot, held: RowMapping) -> Ballot:
    """A correction with the time and the watching that went before it."""
    watched = max(held["watched_left"], ballot.watched[0]), max(held["watched_right"], ballot.watched[1])
    return replace(ballot, watched=watched, spent=held["spent"] + ballot.spent)


def _refuse_unwatched(sides: list[dict[str, Any]], ballot: Ballot, passed: float) -> None:
    """The page keeps the vote locked until both sides have played; this is for pages that do not."""
    lengths = [side["seconds"] for side in sides]
    short = any(watched < _WATCHED * min(lengths) - _SLACK for watched in ballot.watched)
    if short or passed < _HURRY * max(lengths) - _SLACK:
        raise BadInput("Please let both sides play to the end first.")


def _repeats(held: RowMapping, ballot: Ballot) -> bool:
    """Whether this very vote is stored: the same form with other answers is another vote."""
    sent = _values(ballot, 0, 0.0)
    return all(held[name] == sent[name] for name in ("submission", *QUESTIONS, "comment"))


def _was_corrected(connection: Connection, ballot: Ballot) -> bool:
    """A late repetition of what has been corrected since."""
    older = connection.execute(select(CorrectionRow).where(CorrectionRow.assignment_id == ballot.assignment)).mappings()
    return any(_repeats(row, ballot) for row in older)


def _values(ballot: Ballot, revision: int, now: float) -> dict[str, Any]:
    told = {field.name: getattr(ballot, field.name) for field in fields(ballot)}
    left, right = told.pop("watched")
    del told["replaces"]
    told["assignment_id"] = told.pop("assignment")
    told["comment"] = storable(told["comment"])[:MOST_COMMENT]
    return {**told, "watched_left": left, "watched_right": right, "revision": revision, "at": now}
