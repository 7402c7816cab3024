"""What becomes of a row's meta by what is merged into it."""

from __future__ import annotations

from typing import Any

from bridge.codecs import json
from bridge.jobs import Job


def check_merge(job: Job[Any], added: str) -> None:
    """Refuse what makes a row's meta longer than meta may be; each addition may be short, and their number has no end.

    Args:
        job: The job as its row was read. What was set on the object since is not in the row.
        added: What is to be merged, the text of a JSON object.

    Raises:
        EncodeError: With the limit, and the length that the merged meta would have.
    """
    text = job._meta_text  # noqa: SLF001 - the row's own, which is decoded only where that is needed
    if text is None or json.fits(text + added, "meta"):
        return
    before = json.decode(text) if text.startswith("{") else {}  # what is no object is replaced
    json.encode_object({**before, **json.decode(added)}, "meta")
