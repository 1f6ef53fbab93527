"""One request to one server, and every way in which it can go wrong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

from joyvl_app.deciders.openai_chat.pool import Endpoint
from joyvl_app.dialect.tokens import RESPONSE, SILENCE
from joyvl_app.errors import ProviderFailed

_CHARS_A_TOKEN = 16  # no tokenizer writes longer tokens for long
_ROOM = 0.8  # of the pictures that made a conversation too long
_TOP = 20  # alternatives of the first token that are asked for
_PICTURES = ("image", "picture", "multimodal", "multi_modal", "mm-per-prompt", "mm_per_prompt")
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
    """How a reply is asked for."""

    temperature: float
    most: int
    seconds: float
    spoken: bool = False  # the answer begins with the response token: only the words are wanted


async def ask(endpoint: Endpoint, messages: list[Message], wish: Wish, heard: Callable[[str], bool]) -> Reply:
    """One completion. `heard` takes the text as it grows and says whether to go on.

    Raises Unreachable, TooManyPictures, TooLong, ProviderFailed. A server that refuses what only vLLM knows, or that does not
    stream, is asked again plainly, and remembered.
    """
    while True:
        before = (endpoint.streams, endpoint.extras)
        try:
            async with asyncio.timeout(wish.seconds):
                return await _once(endpoint, messages, wish, heard)
        except (TimeoutError, APITimeoutError) as error:
            raise Unreachable(f"The model server {endpoint.url} took longer than {wish.seconds:g} seconds.") from error
        except APIStatusError as error:
            _judge(endpoint, error, sum(_pictures(message) for message in messages))
        except (APIConnectionError, httpx.HTTPError) as error:
            raise Unreachable(f"The model server {endpoint.url} cannot be reached.") from error
        except (OpenAIError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
            if not endpoint.streams:
                raise Unreachable(f"The model server {endpoint.url} did not answer with a completion.") from error
            endpoint.streams = False
        if before == (endpoint.streams, endpoint.extras):
            raise Unreachable(f"The model server {endpoint.url} did not answer with a completion.")


async def _once(endpoint: Endpoint, messages: list[Message], wish: Wish, heard: Callable[[str], bool]) -> Reply:
    model = await endpoint.model_name()
    options: dict[str, Any] = {"temperature": wish.temperature, "top_p": 0.9, "max_tokens": wish.most}
    if endpoint.extras:
        options |= {"logprobs": True, "top_logprobs": _TOP, "extra_body": _extras(wish)}
    if wish.spoken:
        messages = [*messages, {"role": "assistant", "content": RESPONSE}]
    create: Any = endpoint.client.chat.completions.create
    if not endpoint.streams:
        whole = (await create(model=model, messages=messages, **options)).choices[0]
        return Reply(_text(whole.message.content), _p_act(_first(whole)))
    return await _read(await create(model=model, messages=messages, stream=True, **options), wish, heard)


async def _read(stream: Any, wish: Wish, heard: Callable[[str], bool]) -> Reply:
    """The stream up to its end, the first line's end, or the bound. Raises ValueError when it holds no completion at all."""
    raw, p_act, chunks = "", None, 0
    async with stream:
        async for chunk in stream:
            chunks += bool(chunk.choices)
            if not chunk.choices:
                continue
            p_act = _p_act(_first(chunk.choices[0])) if p_act is None else p_act
            raw += _text(chunk.choices[0].delta.content)
            if not heard(raw) or "\n" in raw.strip() or len(raw) > _CHARS_A_TOKEN * wish.most:
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


def _judge(endpoint: Endpoint, error: APIStatusError, pictures: int) -> None:
    """What an HTTP error means; returns when the same should be asked once more, plainly."""
    told = " ".join(str(error.message).split())[:300]
    if error.status_code >= 500 or error.status_code in (408, 409, 429):
        raise Unreachable(f"The model server {endpoint.url} is in trouble ({error.status_code}).") from error
    if error.status_code in (401, 403):
        raise ProviderFailed(f"The model server {endpoint.url} refuses the key. Check JOYVL_OPENAI_KEY.") from error
    if error.status_code == 404:
        raise ProviderFailed(f"{endpoint.url} has no such model or address: {told}. Check JOYVL_OPENAI_URLS, _MODEL.") from error
    if any(word in told.lower() for word in _LENGTH):
        endpoint.most_pictures = min(endpoint.most_pictures, max(1, int(_ROOM * pictures)))
        raise TooLong(f"The conversation has outgrown the context of {endpoint.url}; a new chunk begins.") from error
    if pictures > 1 and any(word in told.lower() for word in _PICTURES):
        endpoint.most_pictures = pictures // 2
        raise TooManyPictures(f"{endpoint.url} takes fewer pictures at once; {pictures // 2} are sent from now on.") from error
    if not endpoint.extras:
        raise ProviderFailed(f"The model server {endpoint.url} refused the request: {told}") from error
    endpoint.extras = False


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
