"""Studies in the database: written, replaced while nobody has voted, closed, deleted; and where their clips are kept."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from eval_ui.importing import Prepared
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, InvitationRow, MediaRow, RaterRow, StudyRow, VoteRow

_LEFT_BEHIND = 3_600.0  # seconds after which nobody is still importing a clip


def refuse_change(connection: Connection, study: str, digest: str) -> bool:
    """Whether this very study is there already. Raises BadInput where another one of its name has votes: they belong to what was
    voted on. Nobody else writes to the study until this transaction ends.
    """
    held = connection.execute(select(StudyRow.digest).where(StudyRow.id == study).with_for_update()).scalar()
    if held is None or held == digest:
        return held is not None
    if votes := count_votes(connection, study):
        raise BadInput(
            f"The study {study} has {votes} votes and cannot be changed: give the new one another id. Nothing was written."
        )
    return False


def write_study(connection: Connection, prepared: Prepared, now: float) -> str:
    """Write a study, open for votes; returns what was done. A study that is replaced keeps its state and invitations; whoever had
    joined joins again. The same study gets clips back that were lost.
    """
    if refuse_change(connection, prepared.id, prepared.digest):
        for row in prepared.comparisons:
            same = (
                ComparisonRow.study_id == prepared.id,
                ComparisonRow.item == row["item"],
                ComparisonRow.opponent == row["opponent"],
            )
            connection.execute(update(ComparisonRow).where(*same).values(body=row["body"]))
        return f"The study {prepared.id} was there already; its clips are there again."
    row = {"body": json.dumps(prepared.body), "digest": prepared.digest}
    if connection.execute(update(StudyRow).where(StudyRow.id == prepared.id).values(row)).rowcount:
        connection.execute(delete(ComparisonRow).where(ComparisonRow.study_id == prepared.id))
        connection.execute(delete(RaterRow).where(RaterRow.study_id == prepared.id))
        connection.execute(update(InvitationRow).where(InvitationRow.study_id == prepared.id).values(used=0))
    else:
        connection.execute(insert(StudyRow), {**row, "id": prepared.id, "state": "open", "created": now})
    connection.execute(insert(ComparisonRow), [{"study_id": prepared.id, **comparison} for comparison in prepared.comparisons])
    state = connection.execute(select(StudyRow.state).where(StudyRow.id == prepared.id)).scalar_one()
    return f"The study {prepared.id} is {state}: {len(prepared.comparisons)} comparisons."


def delete_study(connection: Connection, study: str, with_votes: bool) -> None:
    """Raises BadInput when there is none, or it has votes and these are not to go too."""
    if connection.execute(select(StudyRow.id).where(StudyRow.id == study).with_for_update()).first() is None:
        raise BadInput(f"There is no study {study}.")
    if (votes := count_votes(connection, study)) and not with_votes:
        raise BadInput(f"The study {study} has {votes} votes. Export them, then delete it with --with-votes.")
    connection.execute(delete(StudyRow).where(StudyRow.id == study))


def set_state(connection: Connection, study: str, state: str) -> None:
    """Raises BadInput when there is no such study."""
    if not connection.execute(update(StudyRow).where(StudyRow.id == study).values(state=state)).rowcount:
        raise BadInput(f"There is no study {study}.")


def list_studies(connection: Connection) -> list[dict[str, Any]]:
    """All studies, the newest first: id, state, and how many raters have joined."""
    raters = select(func.count()).where(RaterRow.study_id == StudyRow.id).scalar_subquery()
    rows = connection.execute(select(StudyRow.id, StudyRow.state, raters).order_by(StudyRow.created.desc()))
    return [{"id": study, "state": state, "raters": number} for study, state, number in rows]


def count_votes(connection: Connection, study: str) -> int:
    joined = select(func.count()).select_from(VoteRow).join(AssignmentRow, AssignmentRow.id == VoteRow.assignment_id)
    return connection.execute(
        joined.join(RaterRow, RaterRow.id == AssignmentRow.rater_id).where(RaterRow.study_id == study)
    ).scalar_one()


def media_names(connection: Connection, study: str = "") -> set[str]:
    """The clips that a study shows, or all of them."""
    bodies = select(ComparisonRow.body).where(ComparisonRow.study_id == study) if study else select(ComparisonRow.body)
    return {side["media"] for body in connection.execute(bodies).scalars() for side in json.loads(body)["sides"]}


def lost_media(connection: Connection, folder: Path, study: str) -> set[str]:
    """Clips of a study that lie neither on the disk nor in the database."""
    kept = set(connection.execute(select(MediaRow.name)).scalars())
    return {name for name in media_names(connection, study) - kept if not (folder / name).is_file()}


def keep_media(connection: Connection, path: Path) -> None:
    """A clip into a server's database: the disk of whoever shows it may be wiped. Does nothing on SQLite."""
    there = select(MediaRow.name).where(MediaRow.name == path.name)
    if connection.dialect.name != "sqlite" and connection.execute(there).first() is None:
        connection.execute(insert(MediaRow), {"name": path.name, "content": path.read_bytes()})


def fetch_media(connection: Connection, folder: Path, name: str) -> bool:
    """A clip from the database onto the disk; whether there is one."""
    content = connection.execute(select(MediaRow.content).where(MediaRow.name == name)).scalar()
    if content is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:  # several may ask at once
        part.write(content)
    Path(part.name).replace(folder / name)
    return True


def drop_media(connection: Connection, folder: Path, names: set[str]) -> None:
    """Those of these clips that no study shows any more are gone, from the disk and the database; so are files that a process
    left behind which was killed.
    """
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    old = {path.name for path in files if time.time() - path.stat().st_mtime > _LEFT_BEHIND}
    for name in (names | old) - media_names(connection):
        connection.execute(delete(MediaRow).where(MediaRow.name == name))
        (folder / name).unlink(missing_ok=True)
