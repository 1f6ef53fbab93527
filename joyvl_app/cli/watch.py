"""`python -m joyvl_app watch SOURCE`: watch a file as the page would watch a camera."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from joyvl_app.build import Providers, build_providers, chosen_decider
from joyvl_app.cli.entry import settings_with
from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.event_log import EventLog
from joyvl_app.events import Answered, Event, Header, Heard, Spoken, State
from joyvl_app.memory.memories import ScratchArchive, Visit
from joyvl_app.parts import Controls
from joyvl_app.ports import Source, Synthesizer
from joyvl_app.scenario import check_instruction, load_scenarios, pick_scenario
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.sources import open_source
from joyvl_app.sources.sound import SoundFile, SoundSource
from joyvl_app.watching import Sounds, make_clock, watch

_RATE_PER_LOOK = 4  # pictures offered for each look taken, so that the newest is never old


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("watch", help="watch a video file or a picture")
    parser.add_argument("source", help="a video in any format that PyAV reads, or a picture")
    parser.add_argument("--scenario", default="security", help="whose persona and sensitivity (default: security)")
    parser.add_argument("--instruction", action="append", metavar="TEXT", help="what to watch for; may be repeated")
    parser.add_argument("--decider", help="default: the setting JOYVL_DECIDER")
    parser.add_argument("--model", metavar="PATH", help="checkpoint of the vlm decider; default: the setting JOYVL_MODEL")
    parser.add_argument("--pace", default="realtime", help="realtime, or fast: as fast as it decides")
    parser.add_argument("--events", type=Path, metavar="FILE", help="write the event log (JSONL) here")
    parser.add_argument(
        "--audio", nargs="?", const="", metavar="FILE", help="hear the source's own sound, or this file, as a microphone"
    )
    parser.add_argument("--audio-role", choices=("user", "scene"), default="user", help="whose voice that is (default: user)")
    parser.add_argument("--speak", type=Path, metavar="FILE", help="write what the assistant says to this WAV file")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds of the source")
    parser.add_argument("--json", action="store_true", help="print every event as a JSON line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    settings = settings_with(options, "decider", "model")
    if options.seconds is not None and not 0 < options.seconds <= 7 * 86_400:
        raise BadInput("--seconds must be above 0 and at most 604800 (a week).")
    clock = make_clock(options.pace)
    controls = _controls(options, settings)
    providers = build_providers(settings, clock, lambda: ScratchArchive(clock))
    source = open_source(options.source, settings.looks_per_tick * _RATE_PER_LOOK, settings.frame_max_side)
    sounds = _sounds(options, providers)
    await providers.decider.start()  # a missing weight ends the command here, with its message and status
    log = _log(options, settings, source, providers)
    voices = _file_voices(providers) if options.speak else ()
    visit = Visit("cli", "local", options.scenario, source.name, providers.chosen, settings.language)
    session = Session("cli", providers.parts(settings, controls, visit, voices), controls, clock, log, settings)
    session.voice.role = options.audio_role
    printing = asyncio.create_task(_print_events(log, options.json, _length(source, options.seconds)))
    printing.add_done_callback(lambda _: session.stop())  # nobody reads any more, as after `| head`
    try:
        await watch(session, source, clock, options.seconds, sounds=sounds)
    finally:
        if sounds.loudspeaker:
            sounds.loudspeaker.close()
        log.close(clock.now())
        await printing
        await providers.aclose()


def _sounds(options: argparse.Namespace, providers: Providers) -> Sounds:
    """What it hears and where its voice goes. Raises BadInput or MissingPart."""
    microphone = None
    if options.audio is not None:
        if providers.voices.ears()[0] is None:
            raise MissingPart("Nothing here recognises speech: pip install -r requirements.txt, and JOYVL_TRANSCRIBER=auto.")
        microphone = SoundSource(Path(options.audio or options.source))
    return Sounds(microphone, SoundFile(options.speak) if options.speak else None)


def _file_voices(providers: Providers) -> tuple[Synthesizer, ...]:
    """Those that sound here: a file has no browser."""
    return tuple(voice for voice in providers.voices.chain() if voice.audible)


def _controls(options: argparse.Namespace, settings: Settings) -> Controls:
    scenario = pick_scenario(load_scenarios(), options.scenario)
    given = "\n".join(options.instruction) if options.instruction else scenario.instruction.in_language(settings.language)
    check_instruction(given)
    persona = scenario.persona.in_language(settings.language)
    return Controls(given, scenario.sensitivity, settings.language, persona, **scenario.voice.model_dump())


def _log(options: argparse.Namespace, settings: Settings, source: Source, providers: Providers) -> EventLog:
    try:
        log = EventLog(options.events, settings.log_max_mb << 20)
    except OSError as error:
        raise BadInput(f"Cannot write the event log {options.events}: {error.strerror}.") from error
    log.append(
        Header(source=source.name, decider=chosen_decider(settings), scenario=options.scenario, settings=settings.public())
    )
    return log


def _length(source: Source, seconds: float | None) -> float | None:
    known = [value for value in (source.seconds, seconds) if value]
    return min(known) if known else None


async def _print_events(log: EventLog, as_json: bool, length: float | None) -> None:
    """Events to standard output, a progress bar to a terminal's standard error."""
    console = Console(stderr=True)
    queue = log.listen()
    with ExitStack() as stack:
        bar = stack.enter_context(_progress(console)) if console.is_terminal else None
        task = bar.add_task("watching", total=length) if bar else None
        while (item := await queue.get()) is not None:
            event = item[1]
            if as_json:
                print(event.model_dump_json(), flush=True)
            elif line := _line(event):
                print(line, flush=True)
            if bar and task is not None:
                bar.update(task, completed=event.t)


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} s"), TimeElapsedColumn(),
                    console=console, transient=True)  # fmt: skip


def _line(event: Event) -> str:
    """What a person wants to read of an event; most are quiet."""
    clock = f"{int(event.t // 60)}:{event.t % 60:04.1f}"
    if isinstance(event, Spoken):
        return f"{clock}  ▶ {event.text}"
    if isinstance(event, Heard):
        return f"{clock}  {'you:' if event.role == 'user' else '♪'} {event.text}"
    if isinstance(event, Answered) and event.card:
        return f"{clock}  ◇ {event.digest}"
    if isinstance(event, State) and event.name in ("notice", "error", "blind"):
        if event.name == "error":
            print(f"{clock}  {event.detail}", file=sys.stderr, flush=True)
            return ""
        return f"{clock}  · {event.detail}"
    return ""
