"""Raters and what they are given. Every function works in the transaction that it is handed."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from eval_ui.drawing import plan, swap
from eval_ui.studies import Kind
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, InvitationRow, RaterRow, StudyRow, VoteRow

Lock = Literal["", "shared", "alone"]
MOST_RATERS = 20_000
_A, _C, _R = AssignmentRow, ComparisonRow, RaterRow


@dataclass(frozen=True)
class Rater:
    """Somebody who takes part in a study: `number` of it, and where in their plan they are."""

    id: int
    study: str
    number: int
    seed: int
    completion: str


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


def open_study(connection: Connection, study: str, lock: Lock = "") -> dict[str, Any]:
    """What a study shows. Until this transaction ends no other process changes it (`shared`), or even draws from it (`alone`).

    Raises BadInput when there is none or it is closed.
    """
    asked = select(StudyRow.body, StudyRow.state).where(StudyRow.id == study)
    row = connection.execute(asked.with_for_update(read=lock == "shared") if lock else asked).first()
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
    body = open_study(connection, study, "alone")
    if (known := rater_of(connection, study, owner)) is not None:
        return known
    invitation = _use(connection, study, code, now) if body["invitation"] else None
    last = connection.execute(select(func.max(_R.number)).where(_R.study_id == study)).scalar() or 0
    if last >= MOST_RATERS:
        raise BadInput("This study has as many raters as it can take. Thank you for wanting to help.")
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
    """New invitation codes; they are told here and never again. Raises BadInput where nobody is asked for one."""
    if not open_study(connection, study)["invitation"]:
        raise BadInput(f"The study {study} asks for no code: put `invitation: true` into its study.yaml and import it again.")
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
    """Where a rater is: how many items they were given and voted on, which sides, and seconds spent on each."""

    order: list[Kind]
    given: int
    voted: int
    swapped: list[bool]
    pace: list[float]

    @property
    def done(self) -> bool:
        return self.voted >= len(self.order)


def course_of(connection: Connection, rater: Rater, body: dict[str, Any]) -> Course:
    """`body` is what `open_study` told."""
    joined = select(_A.swapped, VoteRow.spent).outerjoin(VoteRow, VoteRow.assignment_id == _A.id).where(_A.rater_id == rater.id)
    rows = connection.execute(joined).all()
    pace = [float(row.spent) for row in rows if row.spent is not None]
    order = plan(rater.seed, body["per_rater"], body["kinds"])
    return Course(order, len(rows), len(pace), [row.swapped for row in rows], pace)


def give(connection: Connection, rater: Rater, course: Course, now: float) -> Given | None:
    """The rater's open assignment, or a new one, drawn and stored; None when all of theirs are done, or none is left to give.

    In the place of a skipped item another one is given. `course` is of this transaction, the study locked by it.
    """
    open_yet = (_A.rater_id == rater.id) & VoteRow.assignment_id.is_(None) & _A.skipped.is_(False)
    if (row := connection.execute(_given().where(open_yet).order_by(_A.number).limit(1)).first()) is not None:
        return _shown(row)
    if not course.done:
        due = course.order[course.voted :]
        for kind in dict.fromkeys((*due, "rated")):  # where nothing of its kind is left, another rated item counts instead
            if (drawn := _draw(connection, rater, kind, course, now)) is not None:
                return drawn
    return None


def _draw(connection: Connection, rater: Rater, kind: Kind, course: Course, now: float) -> Given | None:
    """The least rated comparison of a kind that this rater has not had; one of an item that they have not seen, if there is one:
    who comes twice in an item is the subject.
    """
    mine = select(_C.id, _C.item).join(AssignmentRow, _A.comparison_id == _C.id).where(_A.rater_id == rater.id).subquery()
    seen = _C.item.in_(select(mine.c.item))
    free = select(_C.id, _C.aspect, _C.body, _C.drawn, _C.swapped)
    free = free.where(_C.study_id == rater.study, _C.kind == kind, _C.id.not_in(select(mine.c.id)))
    row = connection.execute(free.order_by(seen, _C.votes, _C.drawn, func.random()).limit(1)).first()
    if row is None:
        return None
    swapped = swap((row.drawn, row.swapped), (course.given, sum(course.swapped)), random.Random())
    name, left, right = (secrets.token_urlsafe(16) for _ in range(3))
    values = {
        "id": name, "rater_id": rater.id, "comparison_id": row.id, "number": course.given, "swapped": swapped, "left": left,
        "right": right, "drawn": now,
    }  # fmt: skip
    connection.execute(insert(AssignmentRow).values(values))
    counts = {"drawn": _C.drawn + 1, "swapped": _C.swapped + int(swapped)}
    connection.execute(update(ComparisonRow).where(_C.id == row.id).values(counts))
    return Given(name, course.given, kind, row.aspect, json.loads(row.body), swapped, left, right, None)


def skip(connection: Connection, rater: Rater, assignment: str) -> None:
    """Leave out what cannot be played in this browser. Raises BadInput when it is not theirs, or has a vote."""
    unvoted = _A.id.not_in(select(VoteRow.assignment_id))
    mine = (_A.id == assignment) & (_A.rater_id == rater.id) & unvoted
    if not connection.execute(update(AssignmentRow).where(mine).values(skipped=True)).rowcount:
        raise BadInput("There is no such item to skip among yours.")


def given(connection: Connection, rater: Rater, number: int) -> Given:
    """The rater's own assignment of this number, to look at it again. Raises BadInput."""
    row = connection.execute(_given().where(_A.rater_id == rater.id, _A.number == number)).first()
    if row is None:
        raise BadInput("There is no such item among yours.")
    return _shown(row)


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
