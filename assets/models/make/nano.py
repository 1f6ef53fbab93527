"""A trained checkpoint as ../joyvl-nano: weights stored in bfloat16, half the size, and computed with in float32.

python nano.py CHECKPOINT (docs/recipe.md has the commands that made it)
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

OUT = Path(__file__).resolve().parent.parent / "joyvl-nano"


def main(checkpoint: Path) -> None:
    OUT.mkdir(exist_ok=True)
    for path in checkpoint.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, OUT / path.name)
    weights = {name: weight.to(torch.bfloat16) for name, weight in load_file(checkpoint / "model.safetensors").items()}
    save_file(weights, OUT / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((OUT / "config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == "float32", "the decider computes in what config.json says"
    print(f"{OUT}: {sum(path.stat().st_size for path in OUT.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
