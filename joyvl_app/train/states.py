"""Whole states on disk: a kill, a full disk or a power cut at any moment leaves the one before."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from joyvl_app.errors import BadInput

_KEPT = 2
_SAMPLE = 1 << 14  # bytes
_STATE = re.compile(r"state-\d{7}")
_PROGRESS = "progress.json"
_DISK = ("no space", "too large", "i/o error", "os error", "streamwriter", "unexpected pos")


@dataclass(frozen=True)
class Crew:
    """The processes of one run: whether this one leads, and how it waits for the others."""

    lead: bool = True
    wait: Callable[[], object] = lambda: None


ALONE = Crew()


def write_folder(target: Path, fill: Callable[[Path], None], crew: Crew = ALONE) -> None:
    """`fill` makes the folder's contents beside it; they get their name when all of them are on disk. Raises BadInput. Every
    process of the crew fills, the leading one makes and names the folder.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        if crew.lead:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
        crew.wait()
        fill(part)
        crew.wait()
        if crew.lead:
            _sync(part)
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
            sync(target.parent)
        crew.wait()
    except Exception as error:  # of a full disk torch, safetensors and tokenizers each tell in their own way
        shutil.rmtree(part, ignore_errors=True)
        if not isinstance(error, OSError) and not any(word in str(error).lower() for word in _DISK):
            raise
        raise BadInput(f"Cannot write {target}: {error}. What was there before is whole.") from error


@contextmanager
def alone_in(folder: Path, lead: bool = True) -> Iterator[None]:
    """One run writes to a folder at a time; who does not lead follows the one that does. Raises BadInput."""
    if not lead:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise BadInput(f"Another process is writing to {folder}. Wait for it, or name a new folder.") from error
    except OSError as error:
        raise BadInput(f"Cannot write to {folder}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


def write_note(path: Path, noted: Any) -> None:
    """JSON in one piece. Raises BadInput."""
    write_whole(path, json.dumps(noted, indent=1, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """The whole text, or what was there before. Raises BadInput."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise BadInput(f"Cannot write {path}: {error.strerror or error}.") from error


def read_note(path: Path) -> Any:
    """Raises BadInput when it is damaged; None when it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is damaged; delete it, or name a new folder.") from error


def claim(note: Path, wanted: dict[str, Any], what: str, anew: bool = False) -> None:
    """A folder belongs to one way of making what is in it. Raises BadInput when its note tells of another; with `anew` nothing
    that counts is in it yet.
    """
    wanted = json.loads(json.dumps(wanted, default=str))
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"Cannot write to {note.parent}: {error.strerror or error}.") from error
    present = wanted if anew else read_note(note) or wanted
    if present != wanted:
        changed = sorted(name for name in wanted if present.get(name) != wanted[name])
        raise BadInput(f"{note.parent} holds {what} with another {', '.join(changed)}. Name a new folder, or the old settings.")
    write_note(note, wanted)


def content_of(folder: Path, samples: int = 64) -> str:
    """The folder's path and a digest of its files, of which so many samples are read; "" when there is no such folder."""
    if not folder.is_dir():
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for start in range(0, size, max(_SAMPLE, -(-size // samples))):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    return f"{folder} ({digest.hexdigest()})"


def save_state(
    folder: Path, step: int, progress: dict[str, Any], save: Callable[[str], object], crew: Crew = ALONE
) -> None:  # fmt: skip
    """The newest state and the one before are kept. Raises BadInput."""

    def fill(part: Path) -> None:
        save(str(part))
        if crew.lead:
            (part / _PROGRESS).write_text(json.dumps(progress), encoding="utf-8")

    write_folder(folder / f"state-{step:07d}", fill, crew)
    for old in states_in(folder)[:-_KEPT] if crew.lead else ():
        shutil.rmtree(old, ignore_errors=True)


def states_in(folder: Path) -> list[Path]:
    """Oldest first; what is not whole is none."""
    return sorted(path for path in folder.glob("state-*") if _STATE.fullmatch(path.name) and (path / _PROGRESS).is_file())


def put_aside(states: Iterable[Path]) -> None:
    """Those that cannot be read, so that they do not count as newer than what comes now."""
    for state in states:
        aside = state.with_name(f"unreadable-{state.name}")
        shutil.rmtree(aside, ignore_errors=True)
        state.rename(aside)


def progress_of(state: Path) -> dict[str, Any]:
    progress: dict[str, Any] = json.loads((state / _PROGRESS).read_text(encoding="utf-8"))
    return progress


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """What was written to a file, or renamed in a folder, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
