"""One module a format: pure functions from an open file to typed batches and rejects."""

from __future__ import annotations

FORMATS = {
    "azure-llm": "Azure LLM inference traces of 2023 and 2024 (TIMESTAMP,ContextTokens,GeneratedTokens)",
    "burstgpt": "BurstGPT traces, 6 or 8 columns; needs --epoch, since their clock starts at 0",
    "litellm": "LiteLLM proxy, table LiteLLM_SpendLogs exported as CSV with its header",
}
"""What `import --from` reads; the adapter of `azure-llm` is `loader.sources.azure_llm.ADAPTER`."""
FORMATS_WITHOUT_CALENDAR = frozenset({"burstgpt"})
