"""The brain's chat model by name."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import SecretStr

from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.settings import Settings

_HOW = "Set JOYVL_BRAIN_MODEL, such as openai:gpt-4.1-mini or ollama:qwen3, or JOYVL_BRAIN_URL."


def chat_model(settings: Settings) -> Any:
    """A LangChain chat model, bounded in time and tokens. Raises BadInput for a name that nobody knows, MissingPart naming the
    provider's package.
    """
    if settings.brain_url:
        return _compatible(settings)
    if not settings.brain_model:
        raise BadInput(f"The brain 'agent' has no model. {_HOW}")
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {"timeout": settings.delegation_seconds, "max_tokens": settings.brain_tokens, "max_retries": 1}
    if key := settings.brain_key.get_secret_value():
        options["api_key"] = key
    if settings.brain_model.startswith("ollama:"):
        options = {"num_predict": settings.brain_tokens}
    try:
        return init_chat_model(settings.brain_model, **options)
    except ImportError as error:
        provider = settings.brain_model.split(":")[0]
        raise MissingPart(f"The brain's model {settings.brain_model} needs: pip install langchain-{provider}") from error
    except Exception as error:  # an unknown provider, a missing key: each provider says it its own way
        raise BadInput(f"The brain's model {settings.brain_model} cannot be used. {_HOW} Its key is JOYVL_BRAIN_KEY.") from error


def _compatible(settings: Settings) -> Any:
    try:
        from langchain_openai.chat_models.base import BaseChatOpenAI  # ChatOpenAI sends what only OpenAI's own server knows
    except ImportError as error:
        raise MissingPart("An OpenAI-compatible server needs: pip install langchain-openai") from error
    if not settings.brain_url.startswith(("http://", "https://")):
        raise BadInput("JOYVL_BRAIN_URL must be an address such as http://127.0.0.1:8000/v1.")
    return BaseChatOpenAI(
        model=settings.brain_model.removeprefix("openai:") or "default",
        base_url=settings.brain_url,
        api_key=settings.brain_key if settings.brain_key.get_secret_value() else SecretStr("none"),
        timeout=settings.delegation_seconds,
        max_tokens=settings.brain_tokens,
        max_retries=1,
        http_async_client=httpx.AsyncClient(timeout=settings.delegation_seconds),  # the library's own is shared between loops
    )
