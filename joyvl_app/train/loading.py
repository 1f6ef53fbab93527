"""A checkpoint for training: loaded whole, or only as much as encoding needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from joyvl_app.deciders.vlm.checkpoint import (
    PROMPT,
    Checkpoint,
    Placement,
    context_of,
    is_qwen,
    load,
    own_prompt,
    parts_of,
    renderer,
)
from joyvl_app.deciders.vlm.framing import Framing, framing_of
from joyvl_app.deciders.vlm.marks import Marks, ends_of
from joyvl_app.dialect import system_prompt
from joyvl_app.dialect.tokens import DELEGATION, RESPONSE, SILENCE
from joyvl_app.errors import BadInput, MissingPart, words_of
from joyvl_app.train.encoding import Encoder
from joyvl_app.train.sights import ProcessorSight, QwenSight, Sight


def load_model(name: str, dtype: str = "float32", any_kind: bool = False) -> Checkpoint:
    """The checkpoint in training mode. Raises BadInput when it is not of the Qwen3-VL kind and has to be."""
    import transformers

    library: Any = transformers.utils.logging
    library.disable_progress_bar()
    checkpoint = load(name, Placement("cpu", dtype))
    if not (any_kind or checkpoint.is_qwen):
        kind = checkpoint.model.config.model_type
        raise BadInput(f"{name} is of the kind '{kind}': sft trains it, but see and --cells need the Qwen3-VL kind.")
    checkpoint.model.train()
    return checkpoint


def dtype_of(name: str) -> Any:
    """The number format that a checkpoint is kept in, and that what becomes of it should be kept in."""
    import torch

    return _config(name).dtype or torch.float32


def of_qwen_kind(name: str) -> bool:
    """Also of what cannot be read, which loading will tell."""
    try:
        return is_qwen(_config(name))
    except (OSError, ValueError):
        return True


def _config(name: str) -> Any:
    import transformers

    library: Any = transformers  # parts of it are untyped
    return library.AutoConfig.from_pretrained(Path(name).expanduser() if Path(name).expanduser().exists() else name)


def add_actions(checkpoint: Checkpoint) -> None:
    """Make each action token a single one; a new one begins as the mean of the pieces that it was spelt with."""
    import torch

    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    spelt = {name: tokenizer.encode(name, add_special_tokens=False) for name in (SILENCE, RESPONSE, DELEGATION)}
    absent = [name for name, pieces in spelt.items() if len(pieces) > 1]
    if not absent:
        return
    tokenizer.add_tokens(absent, special_tokens=True)
    words, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is not None and len(tokenizer) > min(len(words.weight), len(head.weight)):
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        words, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None or len(tokenizer) > min(len(words.weight), len(head.weight)):
        raise BadInput(f"{checkpoint.name} has no room for the action tokens: its language head is not like that of others.")
    with torch.no_grad():
        for table in {id(part): part for part in (words, head)}.values():
            for name in absent:
                table.weight[tokenizer.convert_tokens_to_ids(name)] = table.weight[spelt[name]].mean(0)


def load_encoder(folder: Path, max_pixels: int) -> Encoder:
    """Tokenizer, template and picture sizes of a checkpoint, without its weights. Raises BadInput when it has none, MissingPart
    when its processor needs a package that is not there.
    """
    import transformers

    library: Any = transformers  # parts of it are untyped
    try:
        config = library.AutoConfig.from_pretrained(folder)
        parts = parts_of(str(folder), config)
        shape = None if is_qwen(config) else _shape(config)
    except ImportError as error:
        raise MissingPart(f"{folder} needs a package that is not installed: {words_of(error)}") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} is no checkpoint that can be read: {words_of(error)}") from error
    checkpoint = Checkpoint(str(folder), shape, *parts)
    framing, marks = framing_of(renderer(checkpoint)), Marks(checkpoint.tokenizer, checkpoint.processor)
    sight, end = _sight(checkpoint, config, framing, max_pixels), _end_of(checkpoint, framing)
    return Encoder(checkpoint.tokenizer, framing, sight, end, marks, context_of(config), system_of(folder))


def _shape(config: Any) -> Any:
    """The model without weights."""
    import torch
    import transformers

    library: Any = transformers
    with torch.device("meta"):
        return library.AutoModelForImageTextToText.from_config(config)


def _sight(checkpoint: Checkpoint, config: Any, framing: Framing, max_pixels: int) -> Sight:
    import torch

    from joyvl_app.deciders.vlm.inputs import Patches, ProcessorInputs

    if is_qwen(config):
        patches = Patches(checkpoint.image_processor, max_pixels, torch.device("cpu"))
        return QwenSight(checkpoint.tokenizer, patches, int(config.image_token_id))
    return ProcessorSight(ProcessorInputs(checkpoint.model, checkpoint.processor, framing, max_pixels))


def _end_of(checkpoint: Checkpoint, framing: Framing) -> int:
    """The token that a reply ends with: the template's where the decider stops at it, else the tokenizer's own."""
    import transformers

    library: Any = transformers
    try:
        noted = library.GenerationConfig.from_pretrained(checkpoint.name)
    except OSError:
        noted = None
    tokenizer = checkpoint.tokenizer
    written = tokenizer.encode(framing.pictured.after_reply, add_special_tokens=False)[:1]
    return int(next((token for token in written if token in ends_of(noted, tokenizer)), tokenizer.eos_token_id))


def system_of(folder: Path) -> str:
    """The system turn that the checkpoint was trained with, as the decider reads it; "" is the app's own. Raises BadInput."""
    path = own_prompt(str(folder))
    return system_prompt(file=path) if path else ""


def write_parts(checkpoint: Checkpoint, folder: Path, system: str) -> None:
    """All of the checkpoint but its configuration and its weights."""
    checkpoint.tokenizer.save_pretrained(folder)
    (checkpoint.processor or checkpoint.image_processor).save_pretrained(folder)
    if system:
        (folder / PROMPT).write_text(system + "\n", encoding="utf-8")
