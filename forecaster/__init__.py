"""Token forecaster: hourly LLM traffic forecast with measured error, budgets and scenarios."""
