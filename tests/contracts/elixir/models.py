"""Contracts for tests, from the schema of their args."""

import json
from typing import Any

from bridge.contracts.model import Model
from bridge.contracts.source import load_text

JOB = {"worker": "python_demo.workers.Sample", "serves": "python"}


def model_of(
    schema: Any, stem: str, *, job: dict[str, Any] | None = None, others: dict[str, Any] | None = None
) -> Model:
    """A contract where `job` says who runs it, else a file of shared schemas."""
    document = {"x-job": job, **schema} if job is not None else schema
    texts = {name: json.dumps(other) for name, other in (others or {}).items()}
    return load_text(json.dumps(document), f"{stem}.json", others=texts)
