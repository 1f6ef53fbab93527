"""Raters, what they are given, and their votes. Every function works in the transaction that it is handed."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from eval_ui.drawing import plan, swap
from eval_ui.studies import Answer, Kind
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, CorrectionRow, InvitationRow, RaterRow, StudyRow, VoteRow
from joyvl_app.store.repository import storable

Device = Literal["phone", "tablet", "desktop", "unknown"]
MOST_COMMENT = 1_000
_WATCHED = 0.95  # of each side that must have played
_HURRY = 0.9  # of the longer side's length that must have passed since it was given
_SLACK = 0.5  # seconds
_A, _C, _R = AssignmentRow, ComparisonRow, RaterRow


class AlreadyVoted(BadInput):
    """There is a vote already, of another tab perhaps; `revision` is which."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            "You have rated this already, perhaps in another tab. Your first answer stands; you can go back and change it."
        )
        self.revision = revision


@dataclass(frozen=True)
class Rater:
    """Somebody who takes part in a study: `number` of it, and where in their plan they are."""

    id: int
    study: str
    number: int
    seed: int
    completion: str


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


@dataclass(frozen=True)
class Given:
    """An assignment with what is shown of it; `vote` is what was said, if anything was."""

    id: str
    number: int
    kind: str
    aspect: str
    body: dict[str, Any]
    swapped: bool
    left: str
    right: str
    vote: dict[str, Any] | None

    @property
    def sides(self) -> list[dict[str, Any]]:
        """Left and right, as they stand on the page."""
        subject, opponent = self.body["sides"]
        return [opponent, subject] if self.swapped else [subject, opponent]


def key_of(owner: str, study: str) -> str:
    """A rater's key: it tells neither the browser's cookie nor that two studies had the same rater."""
    return hashlib.sha256(f"{study}\n{owner}".encode()).hexdigest()


def open_study(connection: Connection, study: str, alone: bool = False) -> dict[str, Any]:
    """What a study shows; `alone`: no other process draws from it until this transaction ends.

    Raises BadInput when there is none or it is closed.
    """
    asked = select(StudyRow.body, StudyRow.state).where(StudyRow.id == study)
    row = connection.execute(asked.with_for_update() if alone else asked).first()
    if row is None:
        raise BadInput("There is no such study.")
    if row.state != "open":
        raise BadInput("This study is closed: it takes no more votes. Thank you for wanting to help.")
    body: dict[str, Any] = json.loads(row.body)
    return body


def rater_of(connection: Connection, study: str, owner: str) -> Rater | None:
    """Who this browser is in the study; None before they joined, and for an id that nobody was given."""
    columns = (_R.id, _R.study_id, _R.number, _R.seed, _R.completion)
    row = connection.execute(select(*columns).where(_R.study_id == study, _R.key == key_of(owner, study))).first()
    return Rater(*row) if row and owner else None


def join(connection: Connection, study: str, owner: str, code: str, now: float) -> Rater:
    """Take part; once joined, stay joined. Raises BadInput for a code that does not hold."""
    body = open_study(connection, study, alone=True)
    if (known := rater_of(connection, study, owner)) is not None:
        return known
    invitation = _use(connection, study, code, now) if body["invitation"] else None
    last = connection.execute(select(func.max(_R.number)).where(_R.study_id == study)).scalar() or 0
    completion = body["completion"] or secrets.token_hex(5).upper()
    values = {
        "study_id": study, "key": key_of(owner, study), "number": last + 1, "seed": secrets.randbits(31), "joined": now,
        "invitation": invitation, "completion": completion,
    }  # fmt: skip
    connection.execute(insert(RaterRow).values(values))
    joined = rater_of(connection, study, owner)
    assert joined is not None
    return joined


def invite(connection: Connection, study: str, codes: int, most: int, expires: float) -> list[str]:
    """New invitation codes; they are told here and never again."""
    open_study(connection, study)
    made = [secrets.token_hex(4).upper() for _ in range(codes)]
    rows = [{"study_id": study, "digest": key_of(code, study), "expires": expires, "most": most} for code in made]
    connection.execute(insert(InvitationRow), rows)
    return made


def _use(connection: Connection, study: str, code: str, now: float) -> str:
    digest = key_of(code.strip().upper(), study)
    there = (InvitationRow.study_id == study) & (InvitationRow.digest == digest)
    row = connection.execute(
        select(InvitationRow.expires, InvitationRow.most, InvitationRow.used).where(there).with_for_update()
    ).first()
    if row is None:
        raise BadInput("This study needs an invitation code, and this one is not known. Please check it.")
    if row.expires < now:
        raise BadInput("This invitation code has expired. Please ask for a new one.")
    if row.used >= row.most:
        raise BadInput("This invitation code has been used. Please ask for a new one.")
    connection.execute(update(InvitationRow).where(there).values(used=InvitationRow.used + 1))
    return digest


@dataclass(frozen=True)
class Course:
    """How far a rater has come: the kinds of their items in order, how many are through, seconds spent on each."""

    order: list[Kind]
    done: int
    pace: list[float]


def course_of(connection: Connection, rater: Rater, body: dict[str, Any]) -> Course:
    """`body` is what `open_study` told."""
    joined = select(_A.skipped, VoteRow.spent).outerjoin(VoteRow, VoteRow.assignment_id == _A.id).where(_A.rater_id == rater.id)
    rows = connection.execute(joined).all()
    pace = [float(row.spent) for row in rows if row.spent is not None]
    through = sum(row.skipped or row.spent is not None for row in rows)
    return Course(plan(rater.seed, body["per_rater"], body["kinds"]), through, pace)


def give(connection: Connection, rater: Rater, body: dict[str, Any], now: float) -> Given | None:
    """The rater's open assignment, or a new one, drawn and stored; None when all of theirs are done."""
    open_yet = (_A.rater_id == rater.id) & VoteRow.assignment_id.is_(None) & _A.skipped.is_(False)
    if (row := connection.execute(_given().where(open_yet).order_by(_A.number).limit(1)).first()) is not None:
        return _shown(row)
    sides = connection.execute(select(_A.swapped).where(_A.rater_id == rater.id)).scalars().all()
    order = plan(rater.seed, body["per_rater"], body["kinds"])
    return _draw(connection, rater, order[len(sides)], sides, now) if len(sides) < len(order) else None


def _draw(connection: Connection, rater: Rater, kind: Kind, sides: Sequence[bool], now: float) -> Given | None:
    """The least rated comparison of a kind that this rater has not had; `sides` are those of their items so far."""
    had = select(_A.comparison_id).where(_A.rater_id == rater.id)
    free = select(_C.id, _C.aspect, _C.body, _C.drawn, _C.swapped).where(
        _C.study_id == rater.study, _C.kind == kind, _C.id.not_in(had)
    )
    row = connection.execute(free.order_by(_C.votes, _C.drawn, func.random()).limit(1)).first()
    if row is None:
        return None
    swapped = swap((row.drawn, row.swapped), (len(sides), sum(sides)), random.Random())
    name, left, right = (secrets.token_urlsafe(16) for _ in range(3))
    values = {
        "id": name, "rater_id": rater.id, "comparison_id": row.id, "number": len(sides), "swapped": swapped, "left": left,
        "right": right, "drawn": now,
    }  # fmt: skip
    connection.execute(insert(AssignmentRow).values(values))
    counts = {"drawn": _C.drawn + 1, "swapped": _C.swapped + int(swapped)}
    connection.execute(update(ComparisonRow).where(_C.id == row.id).values(counts))
    return Given(name, len(sides), kind, row.aspect, json.loads(row.body), swapped, left, right, None)


def skip(connection: Connection, rater: Rater, assignment: str) -> None:
    """Leave out what cannot be played in this browser; a vote that there is stands."""
    mine = (_A.id == assignment) & (_A.rater_id == rater.id)
    connection.execute(update(AssignmentRow).where(mine).values(skipped=True))


def given(connection: Connection, rater: Rater, number: int) -> Given:
    """The rater's own assignment of this number, to look at it again. Raises BadInput."""
    row = connection.execute(_given().where(_A.rater_id == rater.id, _A.number == number)).first()
    if row is None:
        raise BadInput("There is no such item among yours.")
    return _shown(row)


def cast(connection: Connection, rater: Rater, ballot: Ballot, now: float) -> int:
    """Store a vote or its correction; returns its revision. The same submission twice is stored once.

    Raises BadInput when it is not this rater's, comes too early, or the study is closed; AlreadyVoted when there is one.
    """
    open_study(connection, rater.study)
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
    if held["submission"] == ballot.submission or _was_corrected(connection, ballot):
        return int(held["revision"])
    if ballot.replaces != held["revision"]:
        raise AlreadyVoted(int(held["revision"]))
    connection.execute(insert(CorrectionRow).values(**held))
    revision = int(held["revision"]) + 1
    connection.execute(update(VoteRow).where(VoteRow.assignment_id == ballot.assignment).values(_values(ballot, revision, now)))
    return revision


def _refuse_unwatched(sides: list[dict[str, Any]], ballot: Ballot, passed: float) -> None:
    """The page keeps the vote locked until both sides have played; this is for pages that do not."""
    lengths = [side["seconds"] for side in sides]
    short = any(watched < _WATCHED * min(lengths) - _SLACK for watched in ballot.watched)
    if short or passed < _HURRY * max(lengths) - _SLACK:
        raise BadInput("Please let both sides play to the end first.")


def _was_corrected(connection: Connection, ballot: Ballot) -> bool:
    """A late repetition of what has been corrected since."""
    row = CorrectionRow
    same = select(row.revision).where(row.assignment_id == ballot.assignment, row.submission == ballot.submission)
    return connection.execute(same).first() is not None


def _values(ballot: Ballot, revision: int, now: float) -> dict[str, Any]:
    told = {field.name: getattr(ballot, field.name) for field in fields(ballot)}
    left, right = told.pop("watched")
    del told["replaces"]
    told["assignment_id"] = told.pop("assignment")
    told["comment"] = storable(told["comment"])[:MOST_COMMENT]
    return {**told, "watched_left": left, "watched_right": right, "revision": revision, "at": now}


def _given() -> Any:
    votes = (VoteRow.revision, VoteRow.quality, VoteRow.timing, VoteRow.overall, VoteRow.comment)
    columns = (_A.id, _A.number, _C.kind, _C.aspect, _C.body, _A.swapped, _A.left, _A.right, *votes)
    joined = select(*columns).join(ComparisonRow, _C.id == _A.comparison_id)
    return joined.outerjoin(VoteRow, VoteRow.assignment_id == _A.id)


def _shown(row: Row[Any]) -> Given:
    names = ("revision", "quality", "timing", "overall", "comment")
    vote: dict[str, Any] | None = dict(zip(names, row[8:], strict=True)) if row.revision is not None else None
    return Given(row.id, row.number, row.kind, row.aspect, json.loads(row.body), row.swapped, row.left, row.right, vote)


def media_of(connection: Connection, token: str) -> str | None:
    """The file behind an opaque address; None when there is none."""
    row = connection.execute(
        select(_A.left, _A.swapped, _C.body)
        .join(ComparisonRow, _C.id == _A.comparison_id)
        .where((_A.left == token) | (_A.right == token))
    ).first()
    if row is None:
        return None
    subject = (row.left == token) != row.swapped
    return str(json.loads(row.body)["sides"][0 if subject else 1]["media"])
