"""The action tokens and the end-of-turn marks of the Qwen3-VL family."""

SILENCE = "</silence>"
RESPONSE = "</response>"
DELEGATION = "</delegation>"
DELEGATION_OPENING = "<delegation>"  # one public prompt writes it so: read it, never write it

END_MARKS = ("<|im_end|>", "<|endoftext|>")

# What must never reach the model as text of a user or a camera: it would be read as structure.
RESERVED = (SILENCE, RESPONSE, DELEGATION, DELEGATION_OPENING, *END_MARKS)
RESERVED_PATTERNS = (
    r"<\|[^|<>]{1,40}\|>",  # every special token of the family
    r"</?(?:think|tool_call|tool_response)>",
    r"<\s*\d+(?:\.\d+)?\s*(?:seconds|~\s*\d+(?:\.\d+)?)\s*>",  # a time marker, a summary's range
    r"\[(?:Video History|Q&A History|User Query|Query@|Response@)[^\]\n]{0,60}\]?",  # the sections' labels
)
