"""The action tokens and the end-of-turn marks of the Qwen3-VL family."""

SILENCE = "</silence>"
RESPONSE = "</response>"
DELEGATION = "</delegation>"
DELEGATION_OPENING = "<delegation>"  # one public prompt writes it so: read it, never write it

END_MARKS = ("<|im_end|>", "<|endoftext|>")

# What must never reach the model as text of a user or a camera: it would be read as structure.
RESERVED = (
    SILENCE,
    RESPONSE,
    DELEGATION,
    DELEGATION_OPENING,
    *END_MARKS,
    "<|im_start|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
