"""A checkpoint for training: loaded whole, or only as much as encoding needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from joyvl_app.deciders.vlm.checkpoint import Checkpoint, Placement, load, own_prompt, renderer
from joyvl_app.deciders.vlm.framing import framing_of
from joyvl_app.dialect import system_prompt
from joyvl_app.dialect.tokens import DELEGATION, RESPONSE, SILENCE
from joyvl_app.errors import BadInput, words_of
from joyvl_app.train.encoding import Encoder


def load_model(name: str, dtype: str = "float32", device: str = "cpu") -> Checkpoint:
    """The checkpoint in training mode. Raises BadInput when it is not of the Qwen3-VL kind."""
    import transformers

    library: Any = transformers.utils.logging
    library.disable_progress_bar()
    checkpoint = load(name, Placement(device, dtype))
    if not checkpoint.is_qwen:
        kind = checkpoint.model.config.model_type
        raise BadInput(f"{name} is of the kind '{kind}'; the recipe trains models of the Qwen3-VL kind.")
    checkpoint.model.train()
    return checkpoint


def dtype_of(name: str) -> Any:
    """The number format that a checkpoint is kept in, and that what becomes of it should be kept in."""
    import torch
    import transformers

    library: Any = transformers
    return library.AutoConfig.from_pretrained(Path(name).expanduser() if Path(name).exists() else name).dtype or torch.float32


def add_actions(checkpoint: Checkpoint) -> None:
    """Make each action token a single one; a new one begins as the mean of the pieces that it was spelt with."""
    import torch

    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    spelt = {name: tokenizer.encode(name, add_special_tokens=False) for name in (SILENCE, RESPONSE, DELEGATION)}
    absent = [name for name, pieces in spelt.items() if len(pieces) > 1]
    if not absent:
        return
    tokenizer.add_tokens(absent, special_tokens=True)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        for table in {id(part): part for part in (model.get_input_embeddings(), model.get_output_embeddings())}.values():
            for name in absent:
                table.weight[tokenizer.convert_tokens_to_ids(name)] = table.weight[spelt[name]].mean(0)


def load_encoder(folder: Path, max_pixels: int) -> Encoder:
    """Tokenizer, template and picture sizes of a checkpoint, without its weights. Raises BadInput when it has none."""
    import transformers

    library: Any = transformers  # parts of it are untyped
    try:
        tokenizer = library.AutoTokenizer.from_pretrained(folder)
        processor = library.AutoImageProcessor.from_pretrained(folder)
        config = library.AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} is no checkpoint that can be read: {words_of(error)}") from error
    checkpoint = Checkpoint(str(folder), None, tokenizer, processor, None)
    return encoder_of(checkpoint, int(config.image_token_id), max_pixels, system_of(folder))


def encoder_of(checkpoint: Checkpoint, image_token: int, max_pixels: int, system: str) -> Encoder:
    import torch

    from joyvl_app.deciders.vlm.inputs import Patches

    processor = checkpoint.image_processor
    patches = Patches(processor, max_pixels, torch.device("cpu"))
    side = processor.patch_size * processor.merge_size
    return Encoder(checkpoint.tokenizer, framing_of(renderer(checkpoint)), image_token, side, patches.fitted, system)


def system_of(folder: Path) -> str:
    """The system turn that the checkpoint was trained with, as the decider reads it; "" is the app's own. Raises BadInput."""
    path = own_prompt(str(folder))
    return system_prompt(file=path) if path else ""
