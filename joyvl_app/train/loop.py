"""The loop that all phases share: steps of so many tokens, states that a kill cannot tear, and the same run when resumed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from joyvl_app.deciders.vlm.checkpoint import Checkpoint
from joyvl_app.deciders.vlm.device import trim
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.train.cells import cell_loss
from joyvl_app.train.encoding import Row
from joyvl_app.train.feeding import Feed, Items, grouped
from joyvl_app.train.loading import write_parts
from joyvl_app.train.loss import weighted_loss
from joyvl_app.train.meter import Meter
from joyvl_app.train.packing import Pack, features, logits_of, packed, packs
from joyvl_app.train.reading import reading_of
from joyvl_app.train.states import Crew, progress_of, put_aside, save_state, states_in, write_folder

_TRIM_EVERY = 20  # steps: packs of ever other sizes leave holes in the heap
_MOST_BAD = 5  # steps in a row whose loss is not a number


@dataclass(frozen=True)
class Schedule:
    """`steps` of at least `tokens` each; the rate rises over `warmup` steps, stays, falls to 0 over the last share `decay`."""

    steps: int
    tokens: int = 8_192
    rate: float = 1e-3
    warmup: int = 50
    decay: float = 0.2
    weight_decay: float = 0.05
    clip: float = 1.0
    pack: int = 16_384  # tokens that go through the model at once
    save_every: int = 100
    workers: int = 1

    def factor(self, step: int) -> float:
        falling = self.decay * self.steps
        left = (self.steps - step) / falling if falling else 1.0
        return min(1.0, (step + 1) / max(1, self.warmup), max(0.0, left))


@dataclass
class Progress:
    """Where a run stands: steps done, this process's next item, what was seen so far, steps without a loss, items of no use."""

    step: int = 0
    item: int = 0
    tokens: int = 0
    seconds: int = 0  # of video
    skipped: int = 0
    faults: int = 0


class Run:
    """One phase on one checkpoint; everything it writes lies in `folder`."""

    def __init__(
        self, checkpoint: Checkpoint, folder: Path, schedule: Schedule, accelerator: Any, max_pixels: int,
        cells: tuple[float, float] = (0.0, 0.0),
    ) -> None:  # fmt: skip
        """`cells`: the weight of their loss, and the share of the steps in which they are learned alone."""
        self._cells = cells
        self.schedule, self.folder, self.accelerator = schedule, folder, accelerator
        self.crew = crew_of(accelerator)
        self._checkpoint, self.progress = checkpoint, Progress()
        self._attention = checkpoint.model.config.get_text_config()._attn_implementation
        if accelerator.distributed_type != "FSDP":  # what is to be shared out may not fit there whole
            checkpoint.model.to(accelerator.device)
        self.reading = reading_of(checkpoint, max_pixels, accelerator.device)
        learned = [weight for weight in checkpoint.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(_decaying(learned, schedule.weight_decay), lr=schedule.rate, betas=(0.9, 0.98))
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule.factor)
        self.model, self._optimizer = accelerator.prepare(checkpoint.model, optimizer)
        self._rates = rates  # not accelerate's, which would step once for every process
        accelerator.register_for_checkpointing(rates)
        self._bad = 0
        self.dtype = torch.float32  # of the exported weights

    # --- learning ------------------------------------------------------------------------------------------------------

    def learn(self, items: Items, told: Callable[[dict[str, Any]], None]) -> None:
        """Until the schedule's last step. Raises ProviderFailed when the loss stays not a number."""
        if self.progress.step >= self.schedule.steps:
            return
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        feed = Feed(items, self.progress.item or rank, self.schedule.workers, world)
        meter = Meter(self._checkpoint.model, self.accelerator.device)
        for number, rows in grouped(feed, max(1, self.schedule.tokens // world)):
            began, seeing = time.perf_counter(), self._seeing_alone
            loss = self.step(rows)
            self.progress.item = number + world
            self.progress.faults += len(feed.faults)
            took, left = time.perf_counter() - began, self.schedule.steps - self.progress.step
            figures = meter.measure(rows, took, feed.waited, left, seeing)
            told(self.line(loss) | figures | ({"unusable": feed.faults} if feed.faults else {}))
            feed.waited, feed.faults = 0.0, []
            if self.progress.step % _TRIM_EVERY == 0:
                trim()
            self.save_when_due()
            if self.progress.step >= self.schedule.steps:
                return

    def line(self, loss: float) -> dict[str, Any]:
        """Of the curve, after a step."""
        return {**asdict(self.progress), "steps": self.schedule.steps, "loss": loss, "rate": self._rates.get_last_lr()[0]}

    def step(self, rows: Sequence[Row]) -> float:
        """One step over all rows of all processes, each in as many packs as needed; its loss."""
        # what shares a model among processes must see its whole forward pass
        once = self.reading.once and self.accelerator.num_processes == 1
        shared = packs(rows, self.schedule.pack if self.reading.together else 1, self.reading.one_size)
        parts = [packed(part, self.reading.pictures, self.accelerator.device, once) for part in shared]
        amounts = [self.amount(part) for part in parts]
        whole = self._sum(sum(amounts))
        self.progress.tokens += sum(part.tokens for part in parts)
        self.progress.seconds += sum(part.seconds for part in parts)
        if not whole:
            return self.pass_over()
        loss, rounds = 0.0, max(self._each(len(parts)))
        for turn in range(rounds):  # who has fewer packs goes along with one that weighs nothing
            share = amounts[turn] / whole if turn < len(parts) else 0.0
            quiet = self.accelerator.no_sync(self.model) if turn + 1 < rounds else nullcontext()
            with quiet, self.accelerator.autocast(), _memory_told():
                one = self.loss(parts[min(turn, len(parts) - 1)]) * share
                self.accelerator.backward(one * self.accelerator.num_processes)  # gradients are averaged over processes
            loss += float(one.detach())
        loss = self._sum(loss)
        self._apply(loss)
        self.progress.step += 1
        return loss

    def _each(self, value: int) -> list[int]:
        """Every process's, by its number."""
        if self.accelerator.num_processes == 1:
            return [value]
        values: list[int] = self.accelerator.gather(torch.tensor([value], device=self.accelerator.device)).tolist()
        return values

    def _sum(self, value: float) -> float:
        """Over all processes."""
        if self.accelerator.num_processes == 1:
            return value
        return float(self.accelerator.gather(torch.tensor([value], dtype=torch.float64, device=self.accelerator.device)).sum())

    def amount(self, pack: Pack) -> float:
        """How much of a step's loss this pack is."""
        return float(pack.weights.sum())

    def loss(self, pack: Pack) -> Tensor:
        if pack.cells is None:
            return weighted_loss(logits_of(self.model, pack, pack.learned), pack.targets, pack.weights)
        model = self.accelerator.unwrap_model(self.model)
        seen = features(model, pack)
        cells = self._cells[0] * cell_loss(torch.cat(seen.pooler_output), model.get_output_embeddings().weight, pack.cells)
        if self._seeing_alone:
            return cells
        return cells + weighted_loss(logits_of(self.model, pack, pack.learned, seen), pack.targets, pack.weights)

    @property
    def _seeing_alone(self) -> bool:
        weight, share = self._cells
        return weight > 0 and self.progress.step < share * self.schedule.steps

    def pass_over(self) -> float:
        """A step that nothing could be learned from."""
        self._rates.step()
        self.progress.step += 1
        return 0.0

    def _apply(self, loss: float) -> None:
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        good = loss == loss and bool(torch.isfinite(torch.as_tensor(norm)))
        if good:
            self._optimizer.step()
        self._optimizer.zero_grad()
        self._rates.step()
        self._bad = 0 if good else self._bad + 1
        self.progress.skipped += not good
        if self._bad >= _MOST_BAD:
            raise ProviderFailed(
                f"The loss has not been a number for {self._bad} steps, up to step {self.progress.step}. The last whole state "
                f"is in {self.folder}; give the same command with a smaller --rate to go on from it."
            )

    # --- states --------------------------------------------------------------------------------------------------------

    def save_when_due(self) -> None:
        if self.progress.step % self.schedule.save_every == 0 or self.progress.step == self.schedule.steps:
            self.save()

    def save(self) -> None:
        """Raises BadInput when the disk is full; the state before is then whole."""
        keep, own = self.accelerator.save_state, {name: self._each(getattr(self.progress, name)) for name in ("item", "faults")}
        told = asdict(self.progress) | own
        save_state(self.folder, self.progress.step, told, lambda part: keep(part, safe_serialization=False), self.crew)

    def resume(self) -> bool:
        """Go on from the newest state that can be read; False when there is none. Raises BadInput when none of them can be."""
        states = states_in(self.folder)
        unreadable = list[Path]()
        for state in reversed(states):
            try:
                self.accelerator.load_state(str(state))
                self._go_on_from(progress_of(state))
                break
            except Exception as error:  # a torn pickle raises whatever it likes
                print(f"{state} cannot be read ({str(error)[:120]}); the one before it is taken.", file=sys.stderr)
                unreadable.append(state)
        if len(set(self._each(self.progress.step))) > 1 or (states and len(unreadable) == len(states)):
            raise BadInput(f"No state in {self.folder} can be read by all processes. Move them elsewhere to begin anew.")
        if self.crew.lead:
            put_aside(unreadable)
        return bool(states)

    def _go_on_from(self, noted: dict[str, Any]) -> None:
        """With this run's rate, not the one that the state was made with; each process where it was."""
        items, faults = list[int](noted["item"]), list[int](noted["faults"])
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        if len(items) == world:
            own = {"item": items[rank], "faults": faults[rank]}
        else:  # other processes than before: behind all that was seen
            own = {"item": -(-max(items) // world) * world + rank, "faults": 0 if rank else sum(faults)}
        self.progress = Progress(**(noted | own))
        self._rates.base_lrs = [self.schedule.rate] * len(self._rates.base_lrs)
        rate = self.schedule.rate * self.schedule.factor(self._rates.last_epoch)
        self._rates._last_lr = [rate] * len(self._rates.base_lrs)
        for group in self._optimizer.param_groups:
            group["initial_lr"], group["lr"] = self.schedule.rate, rate

    def export(self, target: Path, system: str) -> Path:
        """The checkpoint as the app loads it: whole weights (LoRA's are merged), tokenizer, pictures' sizes, the system turn."""
        model = self.accelerator.unwrap_model(self.model).to(self.dtype)
        weights = self.accelerator.get_state_dict(self.model)
        if hasattr(model, "merge_and_unload"):
            model, weights = model.merge_and_unload(), None
        model.config.get_text_config()._attn_implementation = self._attention

        def fill(part: Path) -> None:
            if not self.crew.lead:
                return
            model.save_pretrained(part, state_dict=weights)
            write_parts(self._checkpoint, part, system)

        write_folder(target, fill, self.crew)
        return target


@contextmanager
def _memory_told() -> Iterator[None]:
    """Raises BadInput when a device's memory runs out."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BadInput(
            "The device's memory ran out. The same command with a smaller --pack or --checkpointing goes on from the last whole "
            "state; --lora or --precision bf16 need a new folder."
        ) from error


def crew_of(accelerator: Any) -> Crew:
    return Crew(accelerator.is_main_process, accelerator.wait_for_everyone)


def _decaying(weights: Sequence[Any], decay: float) -> list[dict[str, Any]]:
    """Matrices decay, vectors do not."""
    return [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
