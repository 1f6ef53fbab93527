"""One request to one server, and every way in which it can go wrong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

from joyvl_app.deciders.openai_chat.pool import Endpoint
from joyvl_app.dialect.tokens import RESPONSE, SILENCE
from joyvl_app.errors import BadInput, ProviderFailed

_CHARS_A_TOKEN = 16  # no tokenizer writes longer tokens for long
_ROOM = 0.8  # of the pictures that made a conversation too long
_TOP = 20  # alternatives of the first token that are asked for
_PICTURES = ("image", "picture", "multimodal", "multi_modal", "mm-per-prompt", "mm_per_prompt")
_MANY = ("at most", "too many", "limit", "maximum", "exceed", "up to")
_LENGTH = ("context length", "context_length", "max_model_len", "maximum context", "too long", "maximum length", "prompt is too")

Message = dict[str, Any]


class Unreachable(ProviderFailed):
    """This server does not answer, or not with a completion; another may."""


class TooManyPictures(ProviderFailed):
    """The server refused the number of pictures; it has been noted."""


class TooLong(ProviderFailed):
    """The conversation does not fit into the server's context."""


@dataclass(frozen=True)
class Reply:
    """What was written, action tokens kept, and the probability that something should be said, where the server tells it."""

    raw: str
    p_act: float | None


@dataclass(frozen=True)
class Wish:
    """How a reply is asked for, and until when (the event loop's time)."""

    temperature: float
    most: int
    deadline: float = math.inf
    opening: bool = False  # a chunk's first request, as short as it can be
    spoken: bool = False  # the answer begins with the response token: only the words are wanted


@dataclass(frozen=True)
class _Manner:
    """How this server is asked: as a stream, with what only vLLM and SGLang know."""

    streams: bool
    extras: bool


async def ask(endpoint: Endpoint, messages: list[Message], wish: Wish, heard: Callable[[str], None]) -> Reply:
    """One completion; `heard` takes the text as it grows. Raises Unreachable, TooManyPictures, TooLong.

    A server that refuses what only some know, or does not stream, is asked again plainly; that is remembered only when the
    plain way worked and the other never has: anybody may stumble once.
    """
    manner = _Manner(endpoint.streams, endpoint.extras)
    while True:
        try:
            async with asyncio.timeout_at(wish.deadline if math.isfinite(wish.deadline) else None):
                reply = await _once(endpoint, messages, wish, manner, heard)
        except (TimeoutError, APITimeoutError) as error:
            raise Unreachable(f"{endpoint.name} does not answer in time.") from error
        except APIStatusError as error:
            manner = _judged(endpoint, error, messages, manner, wish.opening)
        except (APIConnectionError, httpx.HTTPError) as error:
            raise Unreachable(f"{endpoint.name} cannot be reached.") from error
        except BadInput as error:
            raise Unreachable(str(error)) from error
        except (OpenAIError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
            if not manner.streams or endpoint.has_streamed:
                raise Unreachable(f"{endpoint.name} did not answer with a completion.") from error
            manner = replace(manner, streams=False)
        else:
            _learn(endpoint, manner)
            return reply


def _learn(endpoint: Endpoint, manner: _Manner) -> None:
    endpoint.streams = manner.streams
    endpoint.extras = manner.extras or endpoint.has_taken_extras
    endpoint.has_streamed = endpoint.has_streamed or manner.streams
    endpoint.has_taken_extras = endpoint.has_taken_extras or manner.extras


async def _once(endpoint: Endpoint, messages: list[Message], wish: Wish, manner: _Manner, heard: Callable[[str], None]) -> Reply:
    model = await endpoint.model_name()
    options: dict[str, Any] = {"temperature": wish.temperature, "top_p": 0.9, "max_tokens": wish.most}
    if manner.extras:
        options |= {"logprobs": True, "top_logprobs": _TOP, "extra_body": _extras(wish)}
    if wish.spoken:
        messages = [*messages, {"role": "assistant", "content": RESPONSE}]
    create: Any = endpoint.client.chat.completions.create
    if not manner.streams:
        whole = (await create(model=model, messages=messages, **options)).choices[0]
        return Reply(_text(whole.message.content), _p_act(_first(whole)))
    return await _read(await create(model=model, messages=messages, stream=True, **options), wish, heard)


async def _read(stream: Any, wish: Wish, heard: Callable[[str], None]) -> Reply:
    """The stream up to its end, the first line's end, or the bound. Raises ValueError when it holds no completion at all."""
    raw, p_act, chunks = "", None, 0
    async with stream:
        async for chunk in stream:
            chunks += bool(chunk.choices)
            if not chunk.choices:
                continue
            p_act = _p_act(_first(chunk.choices[0])) if p_act is None else p_act
            raw += _text(chunk.choices[0].delta.content)
            heard(raw)
            if "\n" in raw.strip() or len(raw) > _CHARS_A_TOKEN * wish.most:
                break
    if not chunks:
        raise ValueError("no completion in the stream")
    return Reply(raw[: _CHARS_A_TOKEN * wish.most], p_act)


def _extras(wish: Wish) -> dict[str, Any]:
    """Parameters of vLLM and SGLang: action tokens must not be cut out of the text."""
    extras: dict[str, Any] = {"skip_special_tokens": False, "top_k": 40, "repetition_penalty": 1.0}
    if wish.spoken:
        extras |= {"continue_final_message": True, "add_generation_prompt": False}
    return extras


def _judged(endpoint: Endpoint, error: APIStatusError, messages: list[Message], manner: _Manner, opening: bool) -> _Manner:
    """What an HTTP error means: raises it, or returns the plainer manner in which the same should be asked once more."""
    told = " ".join(str(error.message).split())[:300]
    words, pictures = told.lower(), sum(map(_pictures, messages))
    if error.status_code >= 500 or error.status_code in (408, 409, 429):
        raise Unreachable(f"{endpoint.name} is in trouble ({error.status_code}).") from error
    if error.status_code in (401, 403):
        raise Unreachable(f"{endpoint.name} refuses the key. Check JOYVL_OPENAI_KEY.") from error
    if error.status_code == 404:
        endpoint.forget()
        raise Unreachable(f"{endpoint.name} has no such model or address. Check JOYVL_OPENAI_URLS and _MODEL.") from error
    if any(word in words for word in _LENGTH):
        if not opening:  # an opening is long by its words, not by its pictures
            endpoint.most_pictures = min(endpoint.most_pictures, max(1, int(_ROOM * pictures)))
        raise TooLong(f"The conversation has outgrown the context of {endpoint.name.lower()}; a new chunk begins.") from error
    if pictures > 1 and any(word in words for word in _PICTURES) and any(word in words for word in _MANY):
        endpoint.most_pictures = min(endpoint.most_pictures, pictures // 2)
        raise TooManyPictures(f"{endpoint.name} takes fewer pictures at once; {pictures // 2} are sent from now on.") from error
    if not manner.extras:
        raise ProviderFailed(f"{endpoint.name} refused the request: {told}") from error
    return replace(manner, extras=False)


def _first(choice: Any) -> Any:
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    return content[0] if content else None


def _p_act(first: Any) -> float | None:
    """1 - P(silence) from the first token's alternatives; None where they are not told or the actions are no single tokens."""
    if first is None:
        return None
    told = {entry.token.strip(): entry.logprob for entry in (*(first.top_logprobs or ()), first)}
    if SILENCE in told:
        return 1.0 - min(1.0, math.exp(told[SILENCE]))
    return 1.0 if RESPONSE in told else None


def _text(content: Any) -> str:
    return content if isinstance(content, str) else ""


def _pictures(message: Message) -> int:
    content = message["content"]
    return sum(part["type"] == "image_url" for part in content) if isinstance(content, list) else 0
