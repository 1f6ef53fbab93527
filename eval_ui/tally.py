"""All votes of a study as columns, and its raters: read once, then counted by results.py and written out by exporting.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from eval_ui.studies import QUESTIONS
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, RaterRow, StudyRow, VoteRow

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
    """One rater's record."""

    number: int
    votes: list[Vote] = field(default_factory=list)
    traps: list[bool] = field(default_factory=list)
    golds: list[bool] = field(default_factory=list)

    @property
    def flagged(self) -> str:
        """Why this rater may be left out of the results; "" when nothing speaks against them."""
        failed = self.traps.count(False)
        return f"failed {failed} of {len(self.traps)} attention checks" if failed >= _FAILED else ""


@dataclass(frozen=True)
class Tally:
    """A study with its votes: `rated` are those that count, of all raters."""

    study: str
    about: dict[str, Any]
    state: str
    votes: list[Vote]
    panel: dict[int, Panelist]
    comparisons: int

    def rated(self, with_flagged: bool) -> list[Vote]:
        """The votes that results are made of."""
        flagged = set() if with_flagged else {number for number, one in self.panel.items() if one.flagged}
        return [vote for vote in self.votes if vote.kind == "rated" and vote.rater not in flagged]


def read_tally(connection: Connection, study: str) -> Tally:
    """Raises BadInput when there is no such study."""
    row = connection.execute(select(StudyRow.body, StudyRow.state).where(StudyRow.id == study)).first()
    if row is None:
        raise BadInput(f"There is no study {study}.")
    bodies = connection.execute(
        select(ComparisonRow.id, ComparisonRow.item, ComparisonRow.kind, ComparisonRow.aspect, ComparisonRow.subject,
               ComparisonRow.opponent, ComparisonRow.body).where(ComparisonRow.study_id == study)
    ).all()  # fmt: skip
    of: dict[int, _Shown] = {each.id: (*each[:6], json.loads(each.body)["expect"]) for each in bodies}
    votes = [_vote(each, of) for each in connection.execute(_votes(study))]
    panel: dict[int, Panelist] = {}
    for vote in votes:
        one = panel.setdefault(vote.rater, Panelist(vote.rater))
        one.votes.append(vote)
        if vote.kind in ("trap", "gold"):
            (one.traps if vote.kind == "trap" else one.golds).append(vote.as_expected)
    rated = sum(each.kind == "rated" for each in bodies)
    return Tally(study, json.loads(row.body), row.state, votes, dict(sorted(panel.items())), rated)


def _votes(study: str) -> Any:
    columns = (
        AssignmentRow.comparison_id, RaterRow.number, AssignmentRow.swapped, *(getattr(VoteRow, name) for name in QUESTIONS),
        VoteRow.comment, VoteRow.watched_left, VoteRow.watched_right, VoteRow.spent, VoteRow.device, VoteRow.at,
        VoteRow.revision, VoteRow.assignment_id,
    )  # fmt: skip
    joined = select(*columns).join(AssignmentRow, AssignmentRow.id == VoteRow.assignment_id)
    return joined.join(RaterRow, RaterRow.id == AssignmentRow.rater_id).where(RaterRow.study_id == study).order_by(VoteRow.at)


def _vote(row: Any, of: dict[int, _Shown]) -> Vote:
    comparison, rater, swapped, quality, timing, overall, comment, left, right, spent, device, at, revision, assignment = row
    return Vote(
        *of[comparison], rater=rater, swapped=bool(swapped), answers={"quality": quality, "timing": timing, "overall": overall},
        comment=comment, watched=(left, right), spent=spent, device=device, at=at, revision=revision, assignment=assignment,
    )  # fmt: skip
