"""`python -m joyvl_app doctor`: what is installed, which providers can run, and what the others need."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from joyvl_app.build import BRAINS, DECIDERS, chosen_brain, chosen_decider
from joyvl_app.choice import choose
from joyvl_app.clock import RealClock
from joyvl_app.errors import JoyError
from joyvl_app.perception.models import MODELS
from joyvl_app.registry import Registry
from joyvl_app.scenario import load_scenarios
from joyvl_app.settings import Settings, load_settings
from joyvl_app.tts.melo import is_here
from joyvl_app.ui.text import text
from joyvl_app.voices import TRANSCRIBERS, VOICES, Voices

_PACKAGES = (
    "gradio", "fastrtc", "aiortc", "av", "onnxruntime", "rapidocr", "torch", "transformers", "accelerate",
    "openai-whisper", "moonshine-voice", "hibari-tts", "silero-vad", "livekit", "sherpa-onnx", "sqlalchemy", "alembic",
    "psycopg", "langchain", "langchain-openai", "langchain-mcp-adapters",
)  # fmt: skip
_WEIGHTS = ("nanodet", "blazeface", "emotion")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("doctor", help="list what is installed and what can run")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when the app can run with its settings, 2 otherwise."""
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _PACKAGES:
        print(f"  {name:<16} {_version(name)}")
    print("Weights in assets/models")
    for name in _WEIGHTS:
        print(f"  {name:<16} {'ready' if (MODELS / f'{name}.onnx').is_file() else 'missing: git checkout assets/models'}")
    for title, registry in (("Deciders", DECIDERS), ("Brains", BRAINS), ("Voices", VOICES), ("Transcribers", TRANSCRIBERS)):
        _list(title, registry)  # type: ignore[arg-type]
    return _verdict()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return f"not installed: pip install {name}"


def _list(title: str, registry: Registry[object]) -> None:
    print(title)
    for name, entry in registry.entries.items():
        missing = entry.missing()
        state = f"needs: pip install {' '.join(missing)}" if missing else "ready"
        print(f"  {name:<16} {state:<8} {entry.about}")


def _melo(settings: Settings) -> str:
    """MeloTTS is the one voice whose weights have to be fetched."""
    here = "melo" in VOICES.entries and not VOICES.entries["melo"].missing() and is_here(settings.melo_model)
    return "" if here else "melo fetches its weights when JOYVL_SYNTHESIZER=melo names it."


def _verdict() -> int:
    try:
        settings, scenarios = load_settings(), load_scenarios()
        for registry, name in ((DECIDERS, chosen_decider(settings)), (BRAINS, chosen_brain(settings))):
            registry.check(name)
        voices = Voices(settings, RealClock())
    except JoyError as error:
        print(f"Problem: {error}")
        return 2
    choice = choose(settings)
    print(f"Decider: {choice.name}. {text(f'why_{choice.reason}').format(**choice.values)}")
    print(f"Brain: {chosen_brain(settings)}. {BRAINS.check(chosen_brain(settings)).about}")
    ready = [name for name in voices.offered if name not in ("auto", "none")]
    print(f"Speaks with: {', '.join(ready)}. {_melo(settings)}".rstrip())
    hears = voices.ears()[0]
    print(f"Hears with: {hears.name}" if hears else "Hears with: nothing, typing only (JOYVL_TRANSCRIBER)")
    print(f"Scenarios: {', '.join(scenarios)}")
    absent = [name for name in _WEIGHTS if not (MODELS / f"{name}.onnx").is_file()]
    if absent:
        print(f"Problem: weights are missing: {', '.join(absent)}")
        return 2
    print(f"The app can run: python app.py, then open http://{settings.host}:{settings.port}")
    return 0
