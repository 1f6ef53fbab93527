"""Studies in the database: written, replaced while nobody has voted, closed, deleted; and where their clips are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select, update

from eval_ui.importing import Prepared
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, MediaRow, RaterRow, StudyRow, VoteRow


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
    """Write a study, open for votes; returns what was done. A study that is replaced keeps its invitations, raters and state."""
    if refuse_change(connection, prepared.id, prepared.digest):
        return f"The study {prepared.id} is there already, exactly like this."
    row = {"body": json.dumps(prepared.body), "digest": prepared.digest}
    if connection.execute(update(StudyRow).where(StudyRow.id == prepared.id).values(row)).rowcount:
        connection.execute(delete(ComparisonRow).where(ComparisonRow.study_id == prepared.id))
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


def count_votes(connection: Connection, study: str) -> int:
    joined = select(func.count()).select_from(VoteRow).join(AssignmentRow, AssignmentRow.id == VoteRow.assignment_id)
    return connection.execute(
        joined.join(RaterRow, RaterRow.id == AssignmentRow.rater_id).where(RaterRow.study_id == study)
    ).scalar_one()


def media_names(connection: Connection) -> set[str]:
    """The clips that the studies show."""
    bodies = connection.execute(select(ComparisonRow.body)).scalars()
    return {side["media"] for body in bodies for side in json.loads(body)["sides"]}


def keep_media(connection: Connection, folder: Path, names: Iterable[str]) -> None:
    """Clips into a server's database: the disk of whoever shows them may be wiped."""
    held = set(connection.execute(select(MediaRow.name)).scalars())
    for name in sorted(set(names) - held):
        connection.execute(insert(MediaRow), {"name": name, "content": (folder / name).read_bytes()})


def fetch_media(connection: Connection, folder: Path, name: str) -> bool:
    """A clip from the database onto the disk; whether there is one."""
    content = connection.execute(select(MediaRow.content).where(MediaRow.name == name)).scalar()
    if content is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{name}"
    part.write_bytes(content)
    part.replace(folder / name)
    return True


def drop_media(connection: Connection, folder: Path, names: set[str]) -> None:
    """Those of these clips that no study shows any more are gone, from the disk and the database."""
    for name in names - media_names(connection):
        connection.execute(delete(MediaRow).where(MediaRow.name == name))
        (folder / name).unlink(missing_ok=True)
