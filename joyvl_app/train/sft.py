"""Supervised fine-tuning: a checkpoint learns when to speak, from shards or from rendered episodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from joyvl_app.deciders.vlm.checkpoint import Checkpoint
from joyvl_app.domain import MODEL_PIXELS
from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.train.feeding import Items, Rendered, Spec
from joyvl_app.train.loading import add_actions, dtype_of, load_model, of_qwen_kind, system_of, write_parts
from joyvl_app.train.loop import Run, Schedule, crew_of
from joyvl_app.train.loss import Weights
from joyvl_app.train.sources import Shards
from joyvl_app.train.states import Crew, alone_in, claim, content_of, states_in, write_folder, write_whole
from joyvl_app.train.worlds import Kind


@dataclass(frozen=True)
class Plan:
    """One phase: from which checkpoint, on what, into which folder. `data` names a folder of shards; without it episodes are
    rendered (`family` names one kind of them), and `cells` weighs what each vision token should read as. `lora` is a rank, 0
    trains all weights; `precision` is no or bf16.
    """

    model: str
    out: Path
    data: Path | None = None
    family: str | None = None
    kind: Kind = "train"
    seed: int = 0
    cells: float = 0.0
    cells_alone: float = 0.0  # share of the steps, the first ones, in which nothing else is learned
    weights: Weights = field(default_factory=Weights)
    schedule: Schedule = field(default_factory=lambda: Schedule(steps=1_000))
    lora: int = 0
    precision: str = "no"
    checkpointing: bool = False
    max_pixels: int = MODEL_PIXELS
    device: str = "auto"
    about: dict[str, float] = field(default_factory=dict)  # what else makes it another run

    def describe(self) -> dict[str, Any]:
        """What must be the same when a run goes on: not how long it is, how large its steps are, or how fast it is made."""
        told = asdict(self) | {"tokens": self.schedule.tokens, "model": content_of(Path(self.model).expanduser()) or self.model}
        told["data"] = content_of(self.data, samples=1) if self.data else ""
        return {name: value for name, value in told.items() if name not in ("out", "schedule", "device", "checkpointing")}


Told = Callable[[dict[str, Any]], None]


def train(plan: Plan, told: Told) -> Path:
    """Run the phase, going on where an earlier run of the same plan stopped; returns the exported checkpoint's folder.

    Raises BadInput (data, folder, disk), MissingPart (PEFT) or ProviderFailed (the loss is not a number).
    """
    accelerator = _accelerator(plan)
    if accelerator.num_processes > 1 and plan.cells:
        raise BadInput("What vision tokens look at (see, --cells) is learned in one process; start it without accelerate launch.")
    lead, items = accelerator.is_main_process, items_of(plan)
    with alone_in(plan.out, lead):
        run, system = open_run(plan, accelerator)
        name = "curve" if lead else f"unusable-{accelerator.process_index}"  # the others tell of nothing but clips of no use
        curve = Curve(plan.out, run.progress.step, name)

        def tell(line: dict[str, Any]) -> None:
            if lead or "unusable" in line:
                curve.add(line)
            if lead:
                told(line)

        run.learn(items, tell)
        made = run.export(plan.out / "model", system)
    accelerator.end_training()  # without it gloo may abort a process that has ended well
    return made


def _accelerator(plan: Plan) -> Any:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # other kinds may have weights that nothing passes through, such as vision layers behind the one that is looked at
    handlers = [] if of_qwen_kind(plan.model) else [DistributedDataParallelKwargs(find_unused_parameters=True)]
    return Accelerator(cpu=plan.device == "cpu", mixed_precision=plan.precision, kwargs_handlers=handlers)


def open_run(plan: Plan, accelerator: Any, kind: type[Run] = Run) -> tuple[Run, str]:
    """The run, resumed where there is a state, and the system turn that its model is used with."""
    from accelerate.utils import set_seed

    set_seed(plan.seed)  # adapters begin at random
    dtype = "bfloat16" if plan.lora and plan.precision == "bf16" else "float32"
    checkpoint = load_model(plan.model, dtype, any_kind=not plan.cells)
    crew = crew_of(accelerator)
    if crew.lead:
        _claim(plan)
    crew.wait()
    add_actions(checkpoint)
    system = system_of(Path(plan.model))
    _write_parts(checkpoint, plan.out / "parts", system, crew)
    if plan.checkpointing:
        checkpoint.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if plan.lora:
        checkpoint = _with_lora(checkpoint, plan.lora)
    run = kind(checkpoint, plan.out, plan.schedule, accelerator, plan.max_pixels, (plan.cells, plan.cells_alone))
    run.dtype = dtype_of(plan.model)
    run.resume()
    return run, system


def items_of(plan: Plan) -> Items:
    spec = Spec(str(plan.out / "parts"), plan.weights, plan.max_pixels)
    if plan.data is None:
        return Rendered(spec, plan.kind, plan.family, plan.seed, plan.cells > 0)
    if not Shards(spec, str(plan.data)).size:
        raise BadInput(f"There are no clips in {plan.data}.")
    return Shards(spec, str(plan.data), plan.seed)  # without the list of its clips, which every worker would be sent


def _claim(plan: Plan) -> None:
    """A folder belongs to one plan, from the first state on. Raises BadInput when it holds another's."""
    claim(plan.out / "plan.json", plan.describe(), "a run", anew=not states_in(plan.out))


def _write_parts(checkpoint: Checkpoint, folder: Path, system: str, crew: Crew) -> None:
    """What the workers encode with: all of the checkpoint but its weights."""

    def fill(part: Path) -> None:
        if crew.lead:
            checkpoint.model.config.save_pretrained(part)
            checkpoint.model.generation_config.save_pretrained(part)
            write_parts(checkpoint, part, system)

    write_folder(folder, fill, crew)


def _with_lora(checkpoint: Checkpoint, rank: int) -> Checkpoint:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingPart("LoRA needs: pip install peft") from error
    from dataclasses import replace

    from joyvl_app.dialect.tokens import DELEGATION, RESPONSE, SILENCE

    model, actions = checkpoint.model, checkpoint.tokenizer.convert_tokens_to_ids([SILENCE, RESPONSE, DELEGATION])
    words, head = model.get_input_embeddings(), model.get_output_embeddings()
    tables = (words,) if head.weight is words.weight else (words, head)  # P(silence) is read off the head's rows
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=_language(model),
        trainable_token_indices={name: actions for name, part in model.named_modules() if part in tables},
    )  # fmt: skip
    return replace(checkpoint, model=get_peft_model(model, config))


def _language(model: Any) -> list[str]:
    """The names of the language model's linear layers but its head."""
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    (root,) = (name for name, part in model.named_modules() if part is decoder)
    inside = (name for name, part in decoder.named_modules() if isinstance(part, torch.nn.Linear) and part is not head)
    return [f"{root}.{name}".removeprefix(".") for name in inside]


class Curve:
    """`curve.jsonl` (or another `name`): a line a step; what a resumed run does again is cut off first."""

    def __init__(self, folder: Path, step: int, name: str = "curve") -> None:
        self._path = folder / f"{name}.jsonl"
        if not self._path.exists():
            return
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        except OSError as error:
            raise BadInput(f"Cannot read {self._path}: {error.strerror or error}.") from error
        write_whole(self._path, "".join(line for line in lines if _step(line) <= step))

    def add(self, line: dict[str, Any]) -> None:
        """Raises BadInput when the disk is full."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise BadInput(f"Cannot write {self._path}: {error.strerror}.") from error


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # torn by a kill
        return float("inf")
