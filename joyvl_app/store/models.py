"""The tables. Times `t` are session seconds, `at` seconds since 1970; `size` is what a row takes of the disk, about."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_ROWID = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a row id there, which full-text search needs


class Base(DeclarativeBase):
    """All tables of the store; migrations/ is what makes them."""


class SessionRow(Base):
    """One watched stream. `id` is drawn by whoever begins it; two sessions may share a `name`, never an `id`."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(64), index=True)
    scenario: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(256))
    decider: Mapped[str] = mapped_column(String(64))
    began: Mapped[float] = mapped_column(Float(53))
    ended: Mapped[float | None] = mapped_column(Float(53))


class EventRow(Base):
    """One line of the event log."""

    __tablename__ = "events"

    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    t: Mapped[float] = mapped_column(Float(53))
    at: Mapped[float] = mapped_column(Float(53), index=True)
    type: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(Text)
    size: Mapped[int]


class PassageRow(Base):
    """Something worth finding again, with its time range: a screen that was read, a thing that was there, a sentence.

    `words` is `text` as it is searched (store/words.py). A passage that goes on is written again under its number.
    """

    __tablename__ = "passages"
    __table_args__ = (
        Index("ix_passages_session_number", "session_id", "number", unique=True),
        Index("ix_passages_owner_at", "owner", "at"),
    )

    id: Mapped[int] = mapped_column(_ROWID, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    number: Mapped[int]
    owner: Mapped[str] = mapped_column(String(64))
    scenario: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(12))
    t_start: Mapped[float] = mapped_column(Float(53))
    t_end: Mapped[float] = mapped_column(Float(53))
    at: Mapped[float] = mapped_column(Float(53), index=True)
    text: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    size: Mapped[int]


class FrameRow(Base):
    """A key frame as a small JPEG."""

    __tablename__ = "frames"

    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    t: Mapped[float] = mapped_column(Float(53), primary_key=True)
    at: Mapped[float] = mapped_column(Float(53), index=True)
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int]


class StudyRow(Base):
    """A rating study. `body` is what its raters are shown (JSON), `digest` the whole study's: an edited one is noticed."""

    __tablename__ = "studies"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))  # open, closed
    created: Mapped[float] = mapped_column(Float(53))


class ComparisonRow(Base):
    """One item of a study for one opponent: what is voted on. `votes`, `drawn` and `swapped` are counted as they come."""

    __tablename__ = "comparisons"
    __table_args__ = (UniqueConstraint("study_id", "item", "opponent"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    item: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(12))  # rated, gold, trap, practice
    aspect: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(80))
    opponent: Mapped[str] = mapped_column(String(80))
    body: Mapped[str] = mapped_column(Text)
    votes: Mapped[int] = mapped_column(default=0)
    drawn: Mapped[int] = mapped_column(default=0)
    swapped: Mapped[int] = mapped_column(default=0)


class RaterRow(Base):
    """A browser that takes part in a study. `key` is a digest of its cookie and the study: it leads back to nobody."""

    __tablename__ = "raters"
    __table_args__ = (UniqueConstraint("study_id", "key"), UniqueConstraint("study_id", "number"))

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    seed: Mapped[int]
    joined: Mapped[float] = mapped_column(Float(53))
    invitation: Mapped[str | None] = mapped_column(String(64))
    completion: Mapped[str] = mapped_column(String(32))


class AssignmentRow(Base):
    """What a rater was given: drawn and stored before the page shows it. `left` and `right` are the media's opaque addresses."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("rater_id", "comparison_id"), UniqueConstraint("rater_id", "number"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("raters.id", ondelete="CASCADE"))
    comparison_id: Mapped[int] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    swapped: Mapped[bool]  # the subject stands on the right
    left: Mapped[str] = mapped_column(String(32), unique=True)
    right: Mapped[str] = mapped_column(String(32), unique=True)
    drawn: Mapped[float] = mapped_column(Float(53))
    skipped: Mapped[bool] = mapped_column(default=False)  # it could not be played there


class _Answers:
    """What a rater said of one assignment: left, right, tie or both_bad, as it stood on the page."""

    revision: Mapped[int]
    submission: Mapped[str] = mapped_column(String(64))
    quality: Mapped[str] = mapped_column(String(10))
    timing: Mapped[str] = mapped_column(String(10))
    overall: Mapped[str] = mapped_column(String(10))
    comment: Mapped[str] = mapped_column(Text)
    watched_left: Mapped[float] = mapped_column(Float(53))
    watched_right: Mapped[float] = mapped_column(Float(53))
    spent: Mapped[float] = mapped_column(Float(53))
    device: Mapped[str] = mapped_column(String(10))
    at: Mapped[float] = mapped_column(Float(53))


class VoteRow(_Answers, Base):
    """The vote that counts: one for an assignment, and so one for a rater and comparison."""

    __tablename__ = "votes"

    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignments.id", ondelete="CASCADE"), primary_key=True)


class CorrectionRow(_Answers, Base):
    """What a vote was before it was corrected."""

    __tablename__ = "corrections"

    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignments.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)


class InvitationRow(Base):
    """A code that lets `most` browsers take part; only its digest is kept."""

    __tablename__ = "invitations"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires: Mapped[float] = mapped_column(Float(53))
    most: Mapped[int]
    used: Mapped[int] = mapped_column(default=0)


class MediaRow(Base):
    """A study's clip, where the database outlives the disk: on a server."""

    __tablename__ = "media"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
