"""Passages and their full-text search; what was heard and said before becomes findable too."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from joyvl_app.store.words import indexed

revision = "0002"
down_revision = "0001"

_ROWID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_FTS = (
    "CREATE VIRTUAL TABLE passages_fts USING fts5"
    "(words, owner, content='passages', content_rowid='id', tokenize=\"unicode61 remove_diacritics 2 tokenchars '-_'\")",
    "CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN"
    " INSERT INTO passages_fts(rowid, words, owner) VALUES (new.id, new.words, new.owner); END",
    "CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN"
    " INSERT INTO passages_fts(passages_fts, rowid, words, owner) VALUES ('delete', old.id, old.words, old.owner); END",
    "CREATE TRIGGER passages_rewritten AFTER UPDATE OF words ON passages BEGIN"
    " INSERT INTO passages_fts(passages_fts, rowid, words, owner) VALUES ('delete', old.id, old.words, old.owner);"
    " INSERT INTO passages_fts(rowid, words, owner) VALUES (new.id, new.words, new.owner); END",
)
_TSVECTOR = (
    "ALTER TABLE passages ADD COLUMN searched tsvector GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED",
    "CREATE INDEX ix_passages_searched ON passages USING gin (searched)",
)


def upgrade() -> None:
    op.create_table(
        "passages",
        sa.Column("id", _ROWID, primary_key=True),
        sa.Column("session_id", sa.BigInteger, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("scenario", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("t_start", sa.Float(53), nullable=False),
        sa.Column("t_end", sa.Float(53), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
    )
    op.create_index("ix_passages_session_number", "passages", ["session_id", "number"], unique=True)
    op.create_index("ix_passages_owner_at", "passages", ["owner", "at"])
    for statement in _FTS if op.get_bind().dialect.name == "sqlite" else _TSVECTOR:
        op.execute(statement)
    _take_over()


def _take_over() -> None:
    """What stands in the events of before: their texts, numbered so that no new passage has the same number."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT e.session_id, e.number, e.t AS second, e.at AS wall, e.type, e.body, s.owner, s.scenario FROM events e"
            " JOIN sessions s ON s.id = e.session_id WHERE e.type IN ('heard', 'spoken')"
        )
    ).all()
    for row in rows:
        text = str(json.loads(row.body).get("text", "")).replace("\0", "")
        kind = "said" if row.type == "spoken" else "heard"
        connection.execute(
            sa.text(
                "INSERT INTO passages (session_id, number, owner, scenario, kind, t_start, t_end, at, text, words, size)"
                " VALUES (:session, :number, :owner, :scenario, :kind, :t, :t, :at, :text, :words, :size)"
            ),
            {"session": row.session_id, "number": -row.number, "owner": row.owner, "scenario": row.scenario, "kind": kind,
             "t": row.second, "at": row.wall, "text": text, "words": indexed(text), "size": 2 * len(text) + 200},
        )  # fmt: skip


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE passages_fts")
    op.drop_table("passages")
