"""A stand-in for Metabase, for tests: validates every request and its own answers, and behaves as we believe it does.

What it is: our reading of Metabase v0.58 LTS to v0.65, from its documentation, its changelog and public reports,
written down as schemas (contract.yml) and rules (rules.py). Profiles differ where the versions do: v58 reads template
tags back as a map, v64 and v65 as a list. Login may ask for a second factor, as later versions can. It normalises like
the server (flat queries become stages, ids and uuids are added, dashcards come back in another order, passwords are
masked), so that a naive comparison fails. It injects faults.

What it is not: Metabase. It does not draw, it does not know permissions, and where our reading is wrong, so is it. The
same scenarios run against a real one with `make metabase-live` (METABASE_URL given); what they show there wins.
"""
