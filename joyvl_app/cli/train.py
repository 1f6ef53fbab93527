"""`python -m joyvl_app train nano|see|sft|rl`: from data to a checkpoint that the app loads."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joyvl_app.domain import MODEL_PIXELS
from joyvl_app.errors import BadInput
from joyvl_app.settings import let_threads_rest

if TYPE_CHECKING:
    from joyvl_app.train.sft import Plan

_TELL_EVERY = 10.0  # seconds
_SEEDS = 1 << 32


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train", help="train a model when to speak")
    phases = parser.add_subparsers(required=True, metavar="PHASE")
    nano = phases.add_parser("nano", help="a small untrained model to begin with")
    nano.add_argument("out", type=Path)
    for name, default in (("hidden", 192), ("layers", 4), ("vision", 160), ("depth", 4), ("seed", 1)):
        nano.add_argument(f"--{name}", type=int, default=default)
    nano.set_defaults(run=_nano)
    see = phases.add_parser("see", help="seeing first: single labelled frames")
    sft = phases.add_parser("sft", help="supervised fine-tuning on streams")
    rl = phases.add_parser("rl", help="group-relative policy optimisation on answer-centred windows")
    for phase, rate, warmup, save_every in ((see, 1.5e-3, 50, 100), (sft, 5e-4, 50, 100), (rl, 5e-5, 10, 25)):
        _add_common(phase, rate, warmup, save_every)
    for phase in (see, sft):
        phase.add_argument("--tokens", type=int, default=8_192, help="at least so many a step, over all devices")
        phase.add_argument(
            "--pack", type=int, default=16_384, help="at most so many at once on a device; a longer stream goes alone"
        )
        phase.add_argument("--workers", type=int, default=1, help="processes that make rows")
        phase.add_argument("--precision", choices=("no", "bf16"), default="no")
        phase.add_argument("--checkpointing", action="store_true", help="less memory, a third more time")
        phase.set_defaults(run=_supervised)
    sft.add_argument("--family", help="one kind of rendered episode only: timers, say, to learn the time first")
    sft.add_argument("--data", type=Path, metavar="DIR", help="shards; default: rendered episodes without end")
    for name, weight, what in (
        ("silence", 0.5, "weight of a silent second"), ("near", 1.0, "of one within two seconds of a response"),
        ("onset", 1.0, "of a response's first token"), ("words", 1.0, "of its other tokens"),
    ):  # fmt: skip
        sft.add_argument(f"--{name}", type=float, default=weight, help=what)
    sft.add_argument("--cells", type=float, default=0.0, help="weight of what each vision token looks at (rendered episodes)")
    sft.add_argument("--lora", type=int, default=0, metavar="RANK", help="train adapters of this rank only")
    rl.add_argument("--group", type=int, default=8, help="rollouts of a window")
    rl.add_argument("--windows", type=int, default=8, help="windows a step")
    rl.add_argument("--kl", type=float, default=0.05, help="weight of the distance to the model that it began from")
    rl.set_defaults(run=_rl)


def _add_common(phase: argparse.ArgumentParser, rate: float, warmup: int, save_every: int) -> None:
    phase.add_argument("--model", required=True, help="the checkpoint to begin from")
    phase.add_argument("--out", type=Path, required=True, metavar="DIR", help="states, curve.jsonl, and the result in DIR/model")
    phase.add_argument("--steps", type=int, required=True)
    phase.add_argument("--rate", type=float, default=rate)
    phase.add_argument("--warmup", type=int, default=warmup, metavar="STEPS")
    phase.add_argument(
        "--decay", type=float, default=0.2, metavar="SHARE", help="of the steps, the last ones: the rate falls to 0"
    )
    phase.add_argument("--seed", type=int, default=0, help="number of the first episode, or of the shards' order")
    phase.add_argument("--save-every", type=int, default=save_every, metavar="STEPS")
    phase.add_argument("--pixels", type=int, default=MODEL_PIXELS, help="the most of a frame")
    phase.add_argument("--device", choices=("auto", "cpu"), default="auto")


def _nano(options: argparse.Namespace) -> int:
    from joyvl_app.train.nano import write_nano

    if options.out.exists():
        raise BadInput(f"{options.out} exists already.")
    sizes = {"hidden": options.hidden, "layers": options.layers, "vision": options.vision, "depth": options.depth}
    if options.hidden % 96 or options.vision % 32 or min(sizes.values()) < 1:
        raise BadInput("--hidden must be a multiple of 96 and --vision of 32; all sizes are at least 1.")
    print(write_nano(options.out, **sizes, seed=options.seed))
    return 0


def _supervised(options: argparse.Namespace) -> int:
    let_threads_rest()
    from joyvl_app.train.families import check_family
    from joyvl_app.train.loss import Weights
    from joyvl_app.train.see import see
    from joyvl_app.train.sft import train

    _check(options)
    plan = _plan(
        options, {"tokens": options.tokens, "pack": options.pack, "workers": options.workers},
        precision=options.precision, checkpointing=options.checkpointing,
    )  # fmt: skip
    if "silence" not in options:
        print(see(plan, teller()))
        return 0
    check_family(options.family)
    weights = Weights(options.silence, options.near, options.onset, options.words)
    told = replace(plan, data=options.data, family=options.family, weights=weights, cells=options.cells, lora=options.lora)
    print(train(told, teller()))
    return 0


def _rl(options: argparse.Namespace) -> int:
    let_threads_rest()
    from joyvl_app.train.rl import Policy, reinforce

    _check(options)
    print(reinforce(Policy(_plan(options, {}), options.windows, options.group, options.kl), teller()))
    return 0


def _plan(options: argparse.Namespace, steps: dict[str, int], **more: Any) -> Plan:
    """What all phases are told; `steps` says more of the schedule, `more` of the rest."""
    from joyvl_app.train.loop import Schedule
    from joyvl_app.train.sft import Plan

    schedule = Schedule(
        options.steps, rate=options.rate, warmup=options.warmup, decay=options.decay, save_every=options.save_every, **steps
    )
    return Plan(
        options.model, options.out, schedule=schedule, seed=options.seed, max_pixels=options.pixels, device=options.device, **more
    )


def _check(options: argparse.Namespace) -> None:
    """Raises BadInput when a number makes no sense."""
    for name in ("steps", "tokens", "pack", "save_every", "windows"):
        if getattr(options, name, 1) < 1:
            raise BadInput(f"--{name.replace('_', '-')} must be at least 1.")
    if getattr(options, "group", 2) < 2:
        raise BadInput("--group must be at least 2: what one rollout is worth says nothing.")
    if options.seed >= _SEEDS:
        raise BadInput(f"--seed must be below {_SEEDS:,}.")
    for name in ("silence", "near", "onset", "words", "cells", "lora", "kl", "warmup", "workers", "seed"):
        if not 0 <= getattr(options, name, 0) < float("inf"):
            raise BadInput(f"--{name} must be a number, not below 0.")
    if getattr(options, "cells", 0) and options.data:
        raise BadInput("--cells is for rendered episodes; what shards show is not known cell by cell.")
    if getattr(options, "family", None) and options.data:
        raise BadInput("--family is for rendered episodes; leave it or --data out.")
    if not 32 * 32 <= options.pixels <= 4_096 * 4_096:
        raise BadInput("--pixels must be between 1,024 and 16,777,216.")
    if not 0 <= options.decay <= 1:
        raise BadInput("--decay must lie between 0 and 1.")
    if not 0 < options.rate < 1:
        raise BadInput("--rate must lie between 0 and 1.")


def teller() -> Callable[[dict[str, Any]], None]:
    """Prints a line every few seconds, and the last one."""
    last = 0.0

    def told(line: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= _TELL_EVERY or line["step"] == line["steps"]:
            last = time.monotonic()
            figures = " ".join(
                f"{name}={_short(value)}" for name, value in line.items() if name not in ("step", "steps", "left_s")
            )
            print(f"step {line['step']}/{line['steps']} {figures} left={_clock(line.get('left_s', 0))}", flush=True)

    return told


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
