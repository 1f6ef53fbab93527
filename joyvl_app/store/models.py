"""The tables. Times `t` are session seconds, `at` seconds since 1970; `size` is what a row takes of the disk, about."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, String, Text
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
