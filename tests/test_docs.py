"""What is not documented does not exist: settings, scenarios, providers, commands, files."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from joyvl_app.bench import BENCHES
from joyvl_app.build import BRAINS, DECIDERS
from joyvl_app.events import Action
from joyvl_app.scenario import load_scenarios
from joyvl_app.settings import Settings
from joyvl_app.voices import TRANSCRIBERS, VOICES
from tests.support import ROOT

_PREFIXES = (  # texts that the code names by their beginning
    "state_", "delegation_", "source_", "why_", "voice_", "intent_", "memory_kind_", "memory_span_", "permission_",
)  # fmt: skip
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_has_a_row_with_its_default(name: str) -> None:
    row = re.search(rf"^\| `JOYVL_{name.upper()}` \| (.*?) \|", README, re.M)
    assert row, f"README.md has no row for JOYVL_{name.upper()}"
    default = Settings.model_fields[name].default
    if isinstance(default, int | float) and not isinstance(default, bool):
        assert f"{default:g}" in row.group(1).replace(",", ""), f"{name}: the README says {row.group(1)}, it is {default}"


def test_scenarios_providers_and_benchmarks_are_named() -> None:
    for name in (*load_scenarios(), *DECIDERS.entries, *BRAINS.entries, *VOICES.entries, *TRANSCRIBERS.entries, *BENCHES):
        assert f"`{name}`" in README or f"{name}.yaml" in README, name


def test_the_file_tree_names_every_file_and_nothing_else() -> None:
    tree = README.split("## Where things are", 1)[1].split("```")[1]
    listed = set(re.findall(r"([\w.-]+\.py)\b", tree))
    code = [*(ROOT / "joyvl_app").rglob("*.py"), *(ROOT / "eval_ui").glob("*.py")]
    present = {path.name for path in code if path.name != "__init__.py"} | {"app.py"}
    assert present - listed == set()
    assert listed - present == set()


def test_every_text_of_the_page_is_there_in_both_languages_and_used() -> None:
    texts = json.loads((ROOT / "assets/page/text.json").read_text(encoding="utf-8"))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "assets/page").glob("*.js"))
    code += " ".join(get_args(Action))  # the timeline says these by the action's name
    for folder in ("joyvl_app/ui", "eval_ui"):
        code += "".join(path.read_text(encoding="utf-8") for path in (ROOT / folder).glob("*.py"))
    for key, words in texts.items():
        assert set(words) == {"en", "zh"} and all(words.values()), key
        stem = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), key)
        assert key in code or stem in code, f"the text {key} is used nowhere"
