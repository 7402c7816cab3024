"""What tracing sends along with a new job, in its meta."""

from __future__ import annotations

from typing import Any

from bridge.codecs import json
from bridge.jobs import Job
from bridge.telemetry import instruments


def meta_json(job: Job[Any]) -> str:
    """Return a job's meta as the text that goes into the row, with what the insertion's instruments add.

    Raises:
        EncodeError: As `Job.meta_json` does.
    """
    text = job.meta_json()
    carrier = instruments.carried()
    # What the application has put there itself is its own, also where it is half of what would be added.
    if not carrier or any(key in job.meta for key in carrier):
        return text
    added = json.encode_object(carrier, "meta")
    rest = text[1:].lstrip()
    # Put before the rest, which stays as it is: a row's numbers may have more digits than Python keeps.
    merged = added if rest == "}" else f"{added[:-1]},{rest}"
    return merged if json.fits(merged, "meta") else text  # that a job is traced must not cost the job
