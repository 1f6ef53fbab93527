"""The errors, each named for what the caller can do about it.

JoyError                something a person can be told in one sentence
├── BadInput            the user can mend it: a file, a setting, a scenario, a source (exit status 2)
├── MissingPart         something is not installed: a package or a weight; the message names the remedy (exit status 2)
├── Busy                try again later: a limit on sessions, uploads or delegations is reached
└── ProviderFailed      a model or device failed this once; the session goes on
"""


class JoyError(Exception):
    """Something went wrong that a person can be told in one sentence."""


class BadInput(JoyError):
    """The user can mend it; the message says what was wrong and what to do."""


class MissingPart(JoyError):
    """A package or weight is absent; the message names what to install."""


class Busy(JoyError):
    """A limit is reached; the message says which, and that waiting helps."""


class ProviderFailed(JoyError):
    """A decider, voice or brain failed this once; the caller logs it and goes on."""


def words_of(error: BaseException) -> str:
    """What may be told of any fault: our own in full, a plug-in's by its kind, for its text may hold anything."""
    return str(error) if isinstance(error, JoyError) else f"({type(error).__name__})"
