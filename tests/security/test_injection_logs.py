"""Names and texts of any content stay what they are in log lines, and begin none of their own."""

import io
import json
import logging
import re
import traceback
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from queues.conftest import ends, gate, worker
from telemetry.conftest import forget

from bridge import Job, telemetry
from bridge.cli.logs import _JsonFormatter
from bridge.queues.processes.logs import Line, replay
from bridge.telemetry import Instance, JobException, JobStart, JobStop
from bridge.telemetry.lines import encode_event, format_event, text_line
from bridge.telemetry.log import attach_logger
from bridge.telemetry.visible import LOGGERS, visible, visible_json

from .hostile import HOSTILE, TEXTS, some, unsafe

__all__ = ["ends", "forget", "gate", "worker"]


SHOP = Instance("Oban", "public", "web")


def job_of(text):
    return Job.from_row({
        "id": 1, "state": "executing", "queue": text, "worker": text, "args": json.dumps({text: [text]}),
        "meta": json.dumps({text: text}), "tags": [text], "errors": None, "attempt": 1, "max_attempts": 3,
        "priority": 0,
        "attempted_by": [text, text], "inserted_at": None, "scheduled_at": None, "attempted_at": None,
        "completed_at": None, "cancelled_at": None, "discarded_at": None,
    })  # fmt: skip


@some
@given(text=TEXTS)
def test_both_loggers_write_a_line_for_an_event_with_nothing_in_it_that_is_obeyed(text):
    shop = Instance(text, text, text)
    job = job_of(text)
    for event in (JobStart, JobStop, JobException):
        made = _made(event, job, shop, ValueError(text))
        line = encode_event("oban.job.stop", made)
        assert not unsafe(line)
        assert json.loads(line)["worker"] == text
        assert json.loads(line)["args"] == {text: [text]}
        assert not unsafe(text_line(format_event("oban.job.stop", made)))


def _made(cls, job, shop, error):
    values = {"job": job, "oban": shop, "error": error, "state": "success"}
    fields = getattr(cls, "__struct_fields__", None) or getattr(cls, "__dataclass_fields__", None) or cls.__slots__
    numbers = dict.fromkeys(fields, 1)
    return cls(
        **{name: values.get(name, numbers[name]) for name in fields if name in values or not name.startswith("_")}
    )


@some
@given(text=TEXTS)
def test_the_text_logger_s_words_can_be_told_apart(text):
    line = text_line(format_event("oban.job.start", _made(JobStart, job_of(text), SHOP, None)))
    word = re.search(r' worker=("(?:[^"\\]|\\.)*"|[^ ]*) queue=', line)[1]
    assert (json.loads(word) if word.startswith('"') else word) == text


@some
@given(text=st.one_of(TEXTS, st.text(max_size=50)))
@pytest.mark.parametrize("name", ["bridge", "bridge.queues", "bridge.maintenance"])
def test_the_package_s_own_messages_are_a_line_each_in_every_log(name, text):
    stream, own = io.StringIO(), io.StringIO()
    plain, as_json = logging.StreamHandler(stream), logging.StreamHandler(own)
    as_json.setFormatter(_JsonFormatter())
    logger = logging.getLogger(name)
    for handler in (plain, as_json):
        logger.addHandler(handler)
    try:
        logger.warning("worker %s of %s, 100%%", text, "a")
    finally:
        for handler in (plain, as_json):
            logger.removeHandler(handler)
    assert not unsafe(stream.getvalue().removesuffix("\n"))
    assert stream.getvalue().endswith(" of a, 100%\n")
    assert not unsafe(own.getvalue().removesuffix("\n"))
    assert "worker " in json.loads(own.getvalue())["message"]


def failed(text, kind):
    """An error as a worker may raise it, its traceback and all, whose every text is a stranger's."""
    try:
        try:
            raise KeyError(text)
        except KeyError as first:
            error = {"one": ValueError(text), "several": ExceptionGroup(text, [ValueError(text), KeyError(text)])}[kind]
            error.add_note(text)
            raise error from first
    except Exception as raised:
        return raised


@contextmanager
def written(name):
    """What handlers write of a logger's records, after the message: two that format them, and one of `bridge start`."""
    streams = [io.StringIO() for _ in range(3)]
    handlers = [logging.StreamHandler(stream) for stream in streams]
    handlers[2].setFormatter(_JsonFormatter())
    logger = logging.getLogger(name)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield lambda: [stream.getvalue().removesuffix("\n") for stream in streams]
    finally:
        for handler in handlers:
            logger.removeHandler(handler)


FORGED = "no\n2026-01-01 00:00:00 ERROR root: paid twice\r2026-01-01 \x1b[2J\u2028x"


@some
@given(text=st.one_of(TEXTS, st.text(max_size=50)), kind=st.sampled_from(["one", "several"]))
@example(text=FORGED, kind="one")
@example(text=FORGED, kind="several")
@pytest.mark.parametrize("name", ["bridge", "bridge.queues"])
def test_no_line_of_a_traceback_passes_for_another_message(name, text, kind):
    with written(name) as read:
        try:
            raise failed(text, kind)
        except Exception:
            logging.getLogger(name).exception("backoff of %s failed", "W")
        plain, again, as_json = read()
    assert plain == again
    assert not unsafe(plain, keep="\n")
    message, *lines = plain.split("\n")
    assert message == "backoff of W failed"
    assert "Traceback (most recent call last):" in plain
    assert [line for line in lines if not line.startswith("  ")] == []
    assert not unsafe(as_json)
    assert "Traceback" in json.loads(as_json)["traceback"]


@pytest.mark.parametrize("text", [FORGED, "plain"])
def test_nor_does_one_that_comes_from_another_process(text):
    with written("bridge.jobs") as read:
        trace = "".join(traceback.format_exception(failed(text, "one")))
        replay(Line("bridge.jobs", logging.ERROR, f"failed {text}", trace, {}))
        plain, again, as_json = read()
    assert plain == again
    assert not unsafe(plain, keep="\n")
    assert [line for line in plain.split("\n")[1:] if not line.startswith("  ")] == []
    assert not unsafe(as_json)


def test_an_error_that_can_not_be_told_hinders_no_log():
    class Odd(Exception):
        __cause__ = property(lambda self: 1 / 0)

    with written("bridge") as read:
        logging.getLogger("bridge").error("failed", exc_info=Odd())
        plain, *_ = read()
    assert plain.startswith("failed\n  ")


def test_every_logger_of_the_package_is_guarded():
    root = Path(telemetry.__file__).parents[1]
    used = {
        found
        for path in root.rglob("*.py")
        if "testing" not in path.parts
        for found in re.findall(r'getLogger\("(bridge[\w.]*)"\)', path.read_text(encoding="utf-8"))
    }
    assert used == set(LOGGERS)
    assert all(any(type(found).__name__ == "OneLine" for found in logging.getLogger(name).filters) for name in LOGGERS)


@some
@given(text=st.one_of(TEXTS, st.text(max_size=50)))
def test_what_is_made_visible_says_the_same(text):
    assert not unsafe(visible(text))
    assert visible("plain ünï 日本") == "plain ünï 日本"
    if not any(unicodedata.category(char) == "Cs" for char in text):
        line = visible_json(json.dumps(text, ensure_ascii=False))
        assert json.loads(line) == text
        assert not unsafe(line)


async def test_a_log_that_somebody_attached_gets_lines_too(start, registry, worker, ends, caplog):
    caplog.set_level(logging.INFO)
    for encode in (True, False):
        attach_logger(encode=encode, handler_id=f"line-{encode}")
    cls = worker(lambda _job: None, name=f"W{HOSTILE}")
    oban = await start(queues={"default": 1})
    await ends.of(await oban.enqueue(cls.new({HOSTILE: HOSTILE})))
    lines = [record.getMessage() for record in caplog.records if record.name == "oban"]
    assert len(lines) >= 4
    assert [line for line in lines if unsafe(line)] == []
