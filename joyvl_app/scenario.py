"""A scenario: one YAML file, one tab. Unknown keys are refused, with the file and the key named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from joyvl_app.errors import BadInput

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
MAX_INSTRUCTION = 2_000  # characters; a standing instruction longer than this is a document

_Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Strict(BaseModel):
    """A value of a file that people edit: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Strict):
    """One text in the page's languages."""

    en: str = Field(min_length=1, max_length=MAX_INSTRUCTION)
    zh: str = Field(min_length=1, max_length=MAX_INSTRUCTION)

    def in_language(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class Preset(Strict):
    """An instruction to fill in: what the chip says, and the text it fills."""

    label: Words
    text: Words


class Clip(Strict):
    """A sample clip in assets/clips, with what it shows, for people who cannot see it."""

    file: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.(mp4|webm)$")]
    alt: Words


class Manners(Strict):
    """How it talks: seconds of silence that end the user's turn, and whether an urgent sentence may be spoken over the user."""

    endpoint: float = Field(default=0.7, ge=0.2, le=3.0)
    urgent_interrupts: bool = False


class Scenario(Strict):
    """What one tab is about. `sensitivity` is added to logit(p_act): above 0 it speaks sooner."""

    id: _Id
    order: int = 100
    title: Words
    persona: Words
    instruction: Words
    presets: tuple[Preset, ...] = Field(default=(), max_length=8)
    sensitivity: float = Field(default=0.0, ge=-4.0, le=4.0)
    voice: Manners = Manners()
    clip: Clip


def load_scenario(path: Path) -> Scenario:
    """Read one scenario file. Raises BadInput naming the file, the key and what is wrong with it."""
    raw = read_yaml(path, f"scenario {path.name}")
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        raise BadInput(f"The scenario {path.name} has a mistake at {_first_fault(error)}.") from error


def read_yaml(path: Path, called: str) -> Any:
    """What a YAML file holds. Raises BadInput, calling it "the scenario lawn.yaml" or whatever it is `called`."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"Cannot read the {called}: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # YAML makes dates and numbers of what looks like one
        raise BadInput(f"The {called} is not valid YAML: {_one_line(error)}.") from error


def load_scenarios(folder: Path = SCENARIOS) -> dict[str, Scenario]:
    """All scenarios of a folder in tab order. Raises BadInput on a bad file, a repeated id or an empty folder."""
    found: dict[str, Scenario] = {}
    for path in sorted(folder.glob("*.yaml")):
        scenario = load_scenario(path)
        if scenario.id in found:
            raise BadInput(f"Two scenarios are called '{scenario.id}'; {path.name} is the second.")
        found[scenario.id] = scenario
    if not found:
        raise BadInput(f"No scenario (*.yaml) lies in {folder}.")
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def pick_scenario(scenarios: dict[str, Scenario], scenario_id: str) -> Scenario:
    """The named scenario. Raises BadInput listing the choices."""
    if scenario_id not in scenarios:
        raise BadInput(f"There is no scenario '{scenario_id}'. Choose from: {', '.join(scenarios)}.")
    return scenarios[scenario_id]


def check_instruction(text: str) -> None:
    """Raises BadInput when a standing instruction is too long."""
    if len(text) > MAX_INSTRUCTION:
        given = len(text)
        raise BadInput(f"An instruction may have {MAX_INSTRUCTION} characters; this one has {given}. Please shorten it.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"]) or "the top"
    return f"'{place}': {fault['msg'].rstrip('.')}"
