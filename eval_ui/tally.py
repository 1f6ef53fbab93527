"""All votes of a study as columns, and its raters: read once, then counted by results.py and written out by exporting.py."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, case, func, select

from eval_ui.studies import QUESTIONS
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, CorrectionRow, RaterRow, StudyRow, VoteRow

_Shown = tuple[int, str, str, str, str, str, str]  # a comparison's first fields of a Vote
OUTCOMES = ("win", "tie", "both_bad", "loss")  # as the subject sees it
_FAILED = 2  # attention checks from which a rater is flagged


@dataclass(frozen=True)
class Vote:
    """One vote as it stood on the page, and what it says about the subject."""

    comparison: int
    item: str
    kind: str
    aspect: str
    subject: str
    opponent: str
    expect: str
    rater: int  # number within the study
    swapped: bool
    answers: dict[str, str]
    comment: str
    watched: tuple[float, float]
    spent: float
    device: str
    at: float
    revision: int
    assignment: str

    def outcome(self, question: str) -> str:
        answer = self.answers[question]
        if answer in ("tie", "both_bad"):
            return answer
        return "win" if (answer == "right") == self.swapped else "loss"

    @property
    def as_expected(self) -> bool:
        """Whether an attention check was followed, or the better side of a gold item found."""
        if self.kind == "trap":
            return set(self.answers.values()) == {self.expect}
        return self.outcome("overall") == ("win" if self.expect == self.subject else "loss")


@dataclass
class Panelist:
    """One rater's record; somebody who only joined has one, too."""

    number: int
    completion: str = ""
    given: int = 0
    skipped: int = 0
    unchecked: int = 0  # attention checks among them
    votes: list[Vote] = field(default_factory=list)
    traps: list[bool] = field(default_factory=list)
    golds: list[bool] = field(default_factory=list)

    @property
    def flagged(self) -> str:
        """Why this rater may be left out of the results; "" when nothing speaks against them."""
        failed = self.traps.count(False)
        if failed + self.unchecked < _FAILED:
            return ""
        skipped = f", skipped {self.unchecked}" if self.unchecked else ""
        return f"failed {failed} of {len(self.traps)} attention checks{skipped}"


@dataclass(frozen=True)
class Tally:
    """A study with its votes: `rated` are those that count, of all raters."""

    study: str
    about: dict[str, Any]
    state: str
    votes: list[Vote]
    panel: dict[int, Panelist]
    comparisons: int
    systems: list[str]  # in an order that tells nothing
    corrections: list[Vote]  # what votes were before

    def rated(self, with_flagged: bool) -> list[Vote]:
        """The votes that results are made of."""
        flagged = set() if with_flagged else {number for number, one in self.panel.items() if one.flagged}
        return [vote for vote in self.votes if vote.kind == "rated" and vote.rater not in flagged]


def read_tally(connection: Connection, study: str) -> Tally:
    """Raises BadInput when there is no such study."""
    row = connection.execute(select(StudyRow.body, StudyRow.state, StudyRow.digest).where(StudyRow.id == study)).first()
    if row is None:
        raise BadInput(f"There is no study {study}.")
    bodies = connection.execute(
        select(ComparisonRow.id, ComparisonRow.item, ComparisonRow.kind, ComparisonRow.aspect, ComparisonRow.subject,
               ComparisonRow.opponent, ComparisonRow.body).where(ComparisonRow.study_id == study)
    ).all()  # fmt: skip
    of: dict[int, _Shown] = {each.id: (*each[:6], json.loads(each.body)["expect"]) for each in bodies}
    votes = [_vote(each, of) for each in connection.execute(_votes(study, VoteRow))]
    earlier = [_vote(each, of) for each in connection.execute(_votes(study, CorrectionRow))]
    systems = {name for each in bodies if each.kind != "trap" for name in (each.subject, each.opponent)}
    shuffled = sorted(systems, key=lambda name: hashlib.sha256(f"{row.digest}\n{name}".encode()).digest())
    rated = sum(each.kind == "rated" for each in bodies)
    return Tally(study, json.loads(row.body), row.state, votes, _panel(connection, study, votes), rated, shuffled, earlier)


def _panel(connection: Connection, study: str, votes: list[Vote]) -> dict[int, Panelist]:
    skipped = func.coalesce(func.sum(case((AssignmentRow.skipped, 1), else_=0)), 0)
    trap = func.coalesce(func.sum(case((AssignmentRow.skipped & (ComparisonRow.kind == "trap"), 1), else_=0)), 0)
    counted = select(RaterRow.number, RaterRow.completion, func.count(AssignmentRow.id), skipped, trap)
    joined = counted.outerjoin(AssignmentRow, AssignmentRow.rater_id == RaterRow.id).where(RaterRow.study_id == study)
    joined = joined.outerjoin(ComparisonRow, ComparisonRow.id == AssignmentRow.comparison_id)
    rows = connection.execute(joined.group_by(RaterRow.id, RaterRow.number, RaterRow.completion).order_by(RaterRow.number))
    panel = {row[0]: Panelist(*row) for row in rows}
    for vote in votes:
        one = panel[vote.rater]
        one.votes.append(vote)
        if vote.kind in ("trap", "gold"):
            (one.traps if vote.kind == "trap" else one.golds).append(vote.as_expected)
    return panel


def _votes(study: str, row: type[VoteRow] | type[CorrectionRow]) -> Any:
    columns = (
        AssignmentRow.comparison_id, RaterRow.number, AssignmentRow.swapped, *(getattr(row, name) for name in QUESTIONS),
        row.comment, row.watched_left, row.watched_right, row.spent, row.device, row.at,
        row.revision, row.assignment_id,
    )  # fmt: skip
    joined = select(*columns).join(AssignmentRow, AssignmentRow.id == row.assignment_id)
    return joined.join(RaterRow, RaterRow.id == AssignmentRow.rater_id).where(RaterRow.study_id == study).order_by(row.at)


def _vote(row: Any, of: dict[int, _Shown]) -> Vote:
    comparison, rater, swapped, quality, timing, overall, comment, left, right, spent, device, at, revision, assignment = row
    return Vote(
        *of[comparison], rater=rater, swapped=bool(swapped), answers={"quality": quality, "timing": timing, "overall": overall},
        comment=comment, watched=(left, right), spent=spent, device=device, at=at, revision=revision, assignment=assignment,
    )  # fmt: skip
