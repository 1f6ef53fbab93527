"""Any OpenAI-compatible server as a decider: vLLM, SGLang, `transformers serve`, a cloud; several of them for many sessions."""
