"""Studies, what they compare, their raters and votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created", sa.Float(53), nullable=False),
    )
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("item", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("aspect", sa.String(80), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("opponent", sa.String(80), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in ("votes", "drawn", "swapped")),
        sa.UniqueConstraint("study_id", "item", "opponent"),
    )
    op.create_table(
        "raters",
        sa.Column("id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("joined", sa.Float(53), nullable=False),
        sa.Column("invitation", sa.String(64)),
        sa.Column("completion", sa.String(32), nullable=False),
        sa.UniqueConstraint("study_id", "key"),
        sa.UniqueConstraint("study_id", "number"),
    )
    op.create_table(
        "assignments",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("rater_id", sa.Integer, sa.ForeignKey("raters.id", ondelete="CASCADE"), nullable=False),
        sa.Column("comparison_id", sa.Integer, sa.ForeignKey("comparisons.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("swapped", sa.Boolean, nullable=False),
        sa.Column("left", sa.String(32), nullable=False, unique=True),
        sa.Column("right", sa.String(32), nullable=False, unique=True),
        sa.Column("drawn", sa.Float(53), nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.UniqueConstraint("rater_id", "comparison_id"),
        sa.UniqueConstraint("rater_id", "number"),
    )
    op.create_table("votes", _assignment(), sa.Column("revision", sa.Integer, nullable=False), *_answers())
    op.create_table("corrections", _assignment(), sa.Column("revision", sa.Integer, primary_key=True), *_answers())
    op.create_table(
        "invitations",
        sa.Column("study_id", sa.String(64), sa.ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("expires", sa.Float(53), nullable=False),
        sa.Column("most", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "media",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("media", "invitations", "corrections", "votes", "assignments", "raters", "comparisons", "studies"):
        op.drop_table(table)


def _study() -> sa.Column[str]:
    return sa.Column("study_id", sa.String(64), sa.ForeignKey("studies.id", ondelete="CASCADE"), nullable=False)


def _assignment() -> sa.Column[str]:
    return sa.Column("assignment_id", sa.String(32), sa.ForeignKey("assignments.id", ondelete="CASCADE"), primary_key=True)


def _answers() -> list[sa.Column[str] | sa.Column[float]]:
    return [
        sa.Column("submission", sa.String(64), nullable=False),
        sa.Column("quality", sa.String(10), nullable=False),
        sa.Column("timing", sa.String(10), nullable=False),
        sa.Column("overall", sa.String(10), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("watched_left", sa.Float(53), nullable=False),
        sa.Column("watched_right", sa.Float(53), nullable=False),
        sa.Column("spent", sa.Float(53), nullable=False),
        sa.Column("device", sa.String(10), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
    ]
