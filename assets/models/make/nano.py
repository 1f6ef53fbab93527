"""A trained checkpoint as ../joyvl-nano: weights stored in bfloat16, half the size, and computed with in float32.

PYTHONPATH=. python assets/models/make/nano.py CHECKPOINT SHIFT (docs/recipe.md has the commands that made it). SHIFT is added
to the logit of silence wherever the model decides, so that sensitivity 0 is where the false alarms were meant to be: silence's
row of the language head moves along the direction that all decisions have in common.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from joyvl_app.deciders.vlm.inputs import Patches
from joyvl_app.dialect.tokens import SILENCE
from joyvl_app.train.feeding import Rendered, Spec
from joyvl_app.train.loading import load_model
from joyvl_app.train.loss import Weights
from joyvl_app.train.packing import logits_of, packed, prepare

OUT = Path(__file__).resolve().parent.parent / "joyvl-nano"
EPISODES, FIRST = 40, 90_000_000  # of the world that it was trained on, with seeds of their own
RIDGE = 1_000.0


def main(checkpoint: Path, shift: float) -> None:
    OUT.mkdir(exist_ok=True)
    for path in checkpoint.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, OUT / path.name)
    stored = load_file(checkpoint / "model.safetensors")
    place, direction = silence_of(checkpoint)
    stored["model.language_model.embed_tokens.weight"][place] += shift * direction
    weights = {name: weight.to(torch.bfloat16) for name, weight in stored.items()}
    save_file(weights, OUT / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((OUT / "config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == "float32", "the decider computes in what config.json says"
    print(f"{OUT}: {sum(path.stat().st_size for path in OUT.iterdir()) / 1e6:.1f} MB")


def silence_of(checkpoint: Path) -> tuple[int, Tensor]:
    """Silence's token, and the direction (hidden,) whose product with what stands behind a decision is about 1."""
    loaded, spec = load_model(str(checkpoint)), Spec(str(checkpoint), Weights())
    items = Rendered(spec, seed=FIRST)
    model, device = loaded.model.eval(), torch.device("cpu")
    prepare(model)
    patches, behind = Patches(loaded.image_processor, spec.max_pixels, device), list[Tensor]()
    model.get_output_embeddings().register_forward_pre_hook(lambda head, given: behind.append(given[0][0]))
    with torch.no_grad():
        for row in (row for number in range(EPISODES) for row in items.fetch(number)):
            logits_of(model, packed([row], patches, device), torch.tensor(row.decisions) - 1)
    hidden = torch.cat(behind).double()
    square = hidden.T @ hidden + RIDGE * torch.eye(hidden.shape[1], dtype=hidden.dtype)
    direction = torch.linalg.solve(square, hidden.sum(0))
    print(f"{len(hidden)} decisions: {(hidden @ direction).mean():.3f} ± {(hidden @ direction).std():.3f}")
    return int(loaded.tokenizer.convert_tokens_to_ids(SILENCE)), direction.float()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
