"""Rooms: each module imports only what stands above it in the house, and heavy packages only where they are chosen."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

# From the ground floor up; what stands in one line may import one another's values but nothing below.
FLOORS: list[tuple[str, ...]] = [
    ("domain", "errors", "plain"),
    ("ports", "listening"),
    ("parts",),
    ("clock", "mailbox", "worker", "ticks", "pools"),
    ("audio", "playout"),
    ("dialect", "intent"),
    ("scenario", "events"),
    ("event_log", "settings"),
    ("store",),
    ("sources",),
    ("perception",),
    ("deciders",),
    ("asr", "tts"),
    ("memory", "brain"),
    ("speech", "delegations", "status", "inbox", "deciding", "own_voice", "hearing", "utterance"),
    ("voice",),
    ("session",),
    ("choice", "registry", "voices"),
    ("build", "watching"),
    ("api",),
    ("evals",),
    ("train",),
    ("bench",),
    ("ui",),
    ("cli",),
    ("__main__",),
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("joyvl_app"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("joyvl_app.")}
    return found - {"__version__"}


def test_every_room_has_a_floor_and_imports_only_upwards() -> None:
    package = ROOT / "joyvl_app"
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        assert room in FLOOR, f"{room} has no floor in this test"
        for imported in _imports(path) - {room}:
            assert FLOOR[imported] <= FLOOR[room], f"{path.relative_to(ROOT)} imports {imported} from below"


def test_the_rating_page_stands_on_the_house_and_not_the_other_way_round() -> None:
    for path in (ROOT / "joyvl_app").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) eval_ui", path.read_text(encoding="utf-8"), re.M), path


def test_no_room_but_settings_and_the_space_reads_the_environment() -> None:
    readers = {path.name for path in (ROOT / "joyvl_app").rglob("*.py") if "os.environ" in path.read_text(encoding="utf-8")}
    assert readers <= {"settings.py", "served.py"}


def test_the_page_starts_without_heavy_packages() -> None:
    code = (
        "import sys; from joyvl_app.ui.server import build_app; from joyvl_app.settings import load_settings; "
        "from eval_ui.wing import rating_wing; build_app(load_settings(), rating_wing(load_settings())); "
        "print(sorted({'torch', 'transformers', 'whisper', 'langchain', 'pyarrow.parquet', 'krippendorff'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_files_stay_small() -> None:
    long = {
        path.name: count
        for path in (*(ROOT / "joyvl_app").rglob("*.py"), *(ROOT / "eval_ui").glob("*.py"))
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert long == {}
