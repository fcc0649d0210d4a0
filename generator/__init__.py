"""Generate seeded synthetic LLM traffic: the same arguments give the same bytes on every machine."""
