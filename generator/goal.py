"""The goal of a command that may be repeated: the day to reach, kept in a file until whoever named it removes it."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from generator.folder import GenerationError
from generator.options import Continuation


def towards_goal(job: Continuation, file: Path, last: date) -> Continuation:
    """Return the job with the day and rows noted in `file` as its own; what it asks for is noted where nothing is yet.

    `last` is the last day of the data set. Raises GenerationError for a file that is no note.
    """
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        until, rows = date.fromisoformat(noted["until"]), noted["rows"]
        if rows is not None and (type(rows) is not int or rows < 1):
            raise ValueError(f"{rows!r:.40} rows a day")
        return replace(job, days=None, until=until, rows=rows)
    except FileNotFoundError:
        until = job.until or last + timedelta(days=job.days or 0)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise GenerationError(
            f"cannot continue the data set: expected a day to reach in {file}, found {error}; remove the file"
        ) from None
    draft = file.with_name(f"{file.name}.new")
    draft.write_text(json.dumps({"until": until.isoformat(), "rows": job.rows}) + "\n", encoding="utf-8")
    draft.replace(file)
    return replace(job, days=None, until=until)
