"""Reading and writing rows. Everything that is read or deleted is filtered by its owner."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, column, delete, func, select, table, text, update
from sqlalchemy.dialects import postgresql, sqlite

from joyvl_app.store.models import EventRow, FrameRow, PassageRow, SessionRow
from joyvl_app.store.values import Ended, Hit, NewEvent, NewFrame, NewPassage, NewSession, Query, Watched, Write
from joyvl_app.store.words import Term

_EVENT, _PASSAGE, _FRAME = 140, 240, 160  # what a row of these takes beside its text: keys, indexes, page overhead
_REWRITTEN = ("t_end", "text", "words", "size")
_FTS = table("passages_fts", column("rowid"))
_PAGES = ("page_count", "freelist_count", "page_size")
_CANDIDATES = 200  # newest passages looked at for each word


# --- writing -----------------------------------------------------------------------------------------------------


def write(connection: Connection, batch: Sequence[Write]) -> int:
    """All of a batch, in order of kind; returns about how many bytes that takes. Written twice it stands there once."""
    latest = {(item.session_id, item.number): item for item in batch if isinstance(item, NewPassage)}
    events = [_event(item) for item in batch if isinstance(item, NewEvent)]
    passages = [_passage(item) for item in latest.values()]
    frames = [_frame(item) for item in batch if isinstance(item, NewFrame)]
    _insert(connection, SessionRow, [_session(item) for item in batch if isinstance(item, NewSession)])
    _insert(connection, EventRow, events)
    _insert(connection, PassageRow, passages, _REWRITTEN)
    _insert(connection, FrameRow, frames)
    for item in batch:
        if isinstance(item, Ended):
            connection.execute(update(SessionRow).where(SessionRow.id == item.session_id).values(ended=item.at))
    return sum(int(row["size"]) for row in (*events, *passages, *frames))


def storable(text: str) -> str:
    """Without the signs that no database takes: zeros, and halves of a pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def known(connection: Connection, ids: set[int]) -> set[int]:
    """Those of these sessions that there are."""
    return set(connection.scalars(select(SessionRow.id).where(SessionRow.id.in_(ids))))


def _insert(connection: Connection, model: type[Any], rows: list[dict[str, Any]], rewritten: Sequence[str] = ()) -> None:
    if not rows:
        return
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(model)
    if rewritten:
        values = {name: statement.excluded[name] for name in rewritten}
        statement = statement.on_conflict_do_update(index_elements=["session_id", "number"], set_=values)
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement, rows)


def _session(item: NewSession) -> dict[str, Any]:
    return {
        "id": item.id, "name": storable(item.name)[:64], "owner": item.owner, "scenario": storable(item.scenario)[:32],
        "source": storable(item.source)[:256], "decider": storable(item.decider)[:64], "began": item.began, "ended": None,
    }  # fmt: skip


def _event(item: NewEvent) -> dict[str, Any]:
    return {**vars(item), "size": len(item.body) + _EVENT}


def _passage(item: NewPassage) -> dict[str, Any]:
    text, words = storable(item.text), storable(item.words)
    return {**vars(item), "text": text, "words": words, "size": len(text.encode()) + 2 * len(words.encode()) + _PASSAGE}


def _frame(item: NewFrame) -> dict[str, Any]:
    return {**vars(item), "size": len(item.jpeg) + _FRAME}


# --- reading -----------------------------------------------------------------------------------------------------


def search(connection: Connection, query: Query) -> list[Hit]:
    """All terms: the newest matches first. Any term: the best first, where a word that few passages hold counts for more."""
    if not query.any_term or len(query.terms) < 2:
        newest = [hit for _, hit in _newest(connection, query, query.terms, query.most)]
        return sorted(newest, key=lambda hit: -(hit.began + hit.t_start))  # written a little out of order, perhaps
    scores: dict[int, float] = {}
    hits: dict[int, Hit] = {}
    for term in dict.fromkeys(query.terms):
        found = _newest(connection, query, (term,), _CANDIDATES)
        for passage_id, hit in found:
            scores[passage_id] = scores.get(passage_id, 0.0) + 1.0 / math.log(2 + len(found))
            hits[passage_id] = hit
    best = sorted(hits, key=lambda passage_id: (-scores[passage_id], -passage_id))
    return [hits[passage_id] for passage_id in best[: query.most]]


def _newest(connection: Connection, query: Query, terms: Sequence[Term], most: int) -> list[tuple[int, Hit]]:
    """The newest passages with all of these terms, each with its row's number."""
    statement, values = _filtered(_passages(), query), {}
    sqlite_search = bool(terms) and connection.dialect.name == "sqlite"
    if terms:
        values["match"] = _match(terms, query.owner, connection.dialect.name)
    if sqlite_search:  # its index yields the rows in this order by itself
        statement = statement.join(_FTS, _FTS.c.rowid == PassageRow.id).where(text("passages_fts MATCH :match"))
        statement = statement.order_by(_FTS.c.rowid.desc())
    else:
        if terms:
            statement = statement.where(text("passages.searched @@ to_tsquery('simple', :match)"))
        statement = statement.order_by(PassageRow.at.desc(), PassageRow.number.desc())
    return [(row[0], Hit(*row[1:])) for row in connection.execute(statement.limit(most), values)]


def passages_between(
    connection: Connection, owner: str, session_id: int, since: float, until: float, most: int, kinds: Sequence[str] = (),
    oldest: bool = False,
) -> list[Hit]:  # fmt: skip
    """What touches a stretch of a session, in order of time: the last `most` of it, or with `oldest` the first."""
    row = PassageRow
    statement = _passages().where(row.owner == owner, row.session_id == session_id, row.t_start <= until, row.t_end >= since)
    if kinds:
        statement = statement.where(row.kind.in_(kinds))
    order = (row.t_start, row.number) if oldest else (row.t_start.desc(), row.number.desc())
    hits = [Hit(*found[1:]) for found in connection.execute(statement.order_by(*order).limit(most))]
    return hits if oldest else hits[::-1]


def sessions(connection: Connection, owner: str, most: int = 200) -> list[Watched]:
    """An owner's sessions, the newest first."""
    passages = select(func.count()).where(PassageRow.session_id == SessionRow.id).scalar_subquery()
    frames = select(func.count()).where(FrameRow.session_id == SessionRow.id).scalar_subquery()
    columns = (SessionRow.id, SessionRow.name, SessionRow.scenario, SessionRow.source, SessionRow.decider, SessionRow.began)
    statement = select(*columns, SessionRow.ended, passages, frames).where(SessionRow.owner == owner)
    return [Watched(*row) for row in connection.execute(statement.order_by(SessionRow.began.desc()).limit(most))]


def events(connection: Connection, owner: str, session_id: int, most: int = 1_000_000) -> list[str]:
    """A session's log, line by line."""
    statement = select(EventRow.body).join(SessionRow).where(SessionRow.owner == owner, SessionRow.id == session_id)
    return list(connection.scalars(statement.order_by(EventRow.number).limit(most)))


def frame_near(connection: Connection, owner: str, session_id: int, t: float, within: float) -> tuple[float, bytes] | None:
    """The key frame closest to second `t`, at most `within` seconds away."""
    statement = (
        select(FrameRow.t, FrameRow.jpeg)
        .join(SessionRow)
        .where(SessionRow.owner == owner, FrameRow.session_id == session_id, FrameRow.t.between(t - within, t + within))
        .order_by(func.abs(FrameRow.t - t))
        .limit(1)
    )
    row = connection.execute(statement).first()
    return (row[0], row[1]) if row else None


# --- forgetting --------------------------------------------------------------------------------------------------


def forget_session(connection: Connection, owner: str, session_id: int) -> bool:
    """Delete a session with all that belongs to it; false when this owner has none such."""
    _forget_passages(connection, [session_id], owner)
    gone = connection.execute(delete(SessionRow).where(SessionRow.id == session_id, SessionRow.owner == owner))
    return gone.rowcount > 0


def forget_owner(connection: Connection, owner: str) -> list[tuple[int, str]]:
    """Delete everything of an owner; returns the sessions that were deleted, with their names."""
    theirs = [(row[0], row[1]) for row in connection.execute(_named().where(SessionRow.owner == owner))]
    _forget_passages(connection, [session_id for session_id, _ in theirs], owner)
    connection.execute(delete(SessionRow).where(SessionRow.owner == owner))
    return theirs


def name_of(connection: Connection, owner: str, session_id: int) -> str | None:
    """What an owner's session was called; None when there is none such."""
    row = connection.execute(_named().where(SessionRow.owner == owner, SessionRow.id == session_id)).first()
    return str(row[1]) if row else None


def forget_before(connection: Connection, at: float, running: Collection[int] = ()) -> int:
    """Delete all rows as old as a wall time, and sessions of which nothing is left and that do not run; returns how many rows."""
    rows = sum(connection.execute(delete(model).where(model.at <= at)).rowcount for model in _SIZED)
    empty = [~select(model.session_id).where(model.session_id == SessionRow.id).exists() for model in _SIZED]
    connection.execute(delete(SessionRow).where(SessionRow.began <= at, SessionRow.id.not_in(running), *empty))
    return rows


def used(connection: Connection) -> int:
    """Bytes that the rows take; what SQLite's file holds, and about what PostgreSQL's tables do."""
    if connection.dialect.name == "sqlite":
        pages, free, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0 for name in _PAGES)
        return int((pages - free) * size)
    return sum(int(connection.scalar(select(func.coalesce(func.sum(model.size), 0))) or 0) for model in _SIZED)


def shrink(connection: Connection, most: int, running: Collection[int] = ()) -> int:
    """Where more than `most` bytes are used, delete the oldest twentieth of what takes most; returns how many rows went."""
    if used(connection) <= most:
        return 0
    sizes = {model: connection.scalar(select(func.coalesce(func.sum(model.size), 0))) or 0 for model in _SIZED}
    largest = max(_SIZED, key=lambda model: sizes[model])
    count = connection.scalar(select(func.count()).select_from(largest)) or 0
    cutoff = connection.scalar(select(largest.at).order_by(largest.at).offset(max(0, count // 20 - 1)).limit(1))
    gone = forget_before(connection, cutoff, running) if cutoff is not None else 0
    if connection.dialect.name == "sqlite":  # or the index keeps its pages
        connection.exec_driver_sql("INSERT INTO passages_fts(passages_fts) VALUES('optimize')")
    return gone


def give_back_pages(engine: Engine) -> None:
    """SQLite keeps what was deleted as free pages; hand them back to the disk."""
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()  # neither works inside a transaction
    try:
        for pragma in ("incremental_vacuum", "wal_checkpoint(TRUNCATE)"):
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA {pragma}")
            cursor.fetchall()  # it works as far as it is read
            cursor.close()
    finally:
        connection.close()


_SIZED: tuple[Any, ...] = (EventRow, PassageRow, FrameRow)


def _forget_passages(connection: Connection, ids: Iterable[int], owner: str) -> None:
    """By hand, not by cascade: SQLite's search triggers do not see what a cascade deletes."""
    for session_id in ids:
        connection.execute(delete(PassageRow).where(PassageRow.session_id == session_id, PassageRow.owner == owner))


def _named() -> Select[*tuple[Any, ...]]:
    return select(SessionRow.id, SessionRow.name)


def _passages() -> Select[*tuple[Any, ...]]:
    row = PassageRow
    began, described = SessionRow.began, (row.kind, row.t_start, row.t_end, row.text, row.words)
    return select(row.id, row.session_id, row.scenario, began, *described).join(SessionRow)


def _filtered(statement: Select[*tuple[Any, ...]], query: Query) -> Select[*tuple[Any, ...]]:
    row = PassageRow
    statement = statement.where(row.owner == query.owner)
    if query.session_id is not None:
        statement = statement.where(row.session_id == query.session_id)
    if query.scenario:
        statement = statement.where(row.scenario == query.scenario)
    if query.kinds:
        statement = statement.where(row.kind.in_(query.kinds))
    if query.since is not None:
        statement = statement.where(row.at + (row.t_end - row.t_start) >= query.since)
    if query.until is not None:
        statement = statement.where(row.at <= query.until)
    return statement


def _match(terms: Sequence[Term], owner: str, dialect: str) -> str:
    """The terms in the database's own search language. Tokens are letters and digits only, so nothing in them is syntax.

    In SQLite the owner stands in the index too: other people's passages are then never looked at.
    """
    if dialect == "sqlite":
        words = " AND ".join(f'"{" ".join(term)}"' for term in terms)
        return f'owner : "{owner.replace(chr(34), "")}" AND words : ({words})'
    return " & ".join("(" + " <-> ".join(f"'{token}'" for token in term) + ")" for term in terms)
