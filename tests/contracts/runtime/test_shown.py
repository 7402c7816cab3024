"""What logs and `repr` show of a contract's args: never a value that the contract calls sensitive."""

import json
import logging

import pytest

from bridge import Job, Worker, telemetry
from bridge.contracts.emit import python
from bridge.contracts.source import load_text
from bridge.jobs.options import build_options
from bridge.telemetry import events, log
from tests.queues.rig import ENDS, events_of
from tests.telemetry.samples import make_job

from .rig import make_contract, obj

SECRET = "5105105105105100"
PAY = obj(
    "Pay",
    {
        "amount": {"type": "integer"},
        "token": {"type": "string", "x-sensitive": True},
        "card": obj("Card", {"pan": {"type": "string", "x-sensitive": True}}),
        "tries": {"type": "array", "items": {"$ref": "#/$defs/Card"}},
    },
    required=["amount"],
)
PAY["$defs"] = {"Card": PAY["properties"]["card"]}
ARGS = {"amount": 1, "token": SECRET, "card": {"pan": SECRET}, "tries": [{"pan": SECRET}]}


@pytest.fixture
def pay():
    return make_contract(PAY, worker="Shop.Pay", queue="shop")


@pytest.fixture
def lines():
    """The log lines of every job while the test runs."""
    found = []

    class Keep(logging.Handler):
        def emit(self, record):
            found.append(record.getMessage())

    logger = logging.getLogger("tests.shown")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    keep = Keep()
    logger.addHandler(keep)
    log.attach_logger(logging.INFO, logger, handler_id="tests.shown")
    yield found
    log.detach_logger("tests.shown")
    logger.removeHandler(keep)


async def test_a_job_that_is_logged_has_the_contract_s_object_all_the_same(pay, lines, registry, start, conn):
    seen = []

    class Pays(Worker):
        async def process(self, job):
            seen.append(job.args)

    Pays.options = build_options("Pays", {"contract": pay})
    registry.register(Pays, (Pays.options.name,))
    oban = await start(queues={"shop": 1})

    telemetry.attach("tests.peek", [events.JOB_START], lambda _name, event: event.job.args)
    with events_of(*ENDS) as ends:
        await ends.of(await oban.enqueue(Job("Shop.Pay", queue="shop", args=ARGS)))

    assert telemetry.detach("tests.peek")
    assert seen == [pay.cast(ARGS)]
    told = [json.loads(line) for line in lines if '"oban.job.' in line]
    assert len(told) >= 2, "the start and the end"
    assert SECRET not in "".join(lines)
    assert told[0]["args"]["card"] == {"pan": "<sensitive>"}
    assert told[0]["args"]["amount"] == 1


def test_the_repr_of_a_generated_object_hides_them(tmp_path, monkeypatch):
    card = {"pan": {"type": "string", "x-sensitive": True}, "n": {"type": "integer"}}
    document = {
        "title": "Charge",
        "x-job": {"worker": "shop.Charge", "serves": "python"},
        "type": "object",
        "required": ["token"],
        "properties": {
            "token": {"type": "string", "x-sensitive": True},
            "amount": {"type": "integer"},
            "card": {"type": "object", "properties": card},
        },
    }
    model = load_text(json.dumps(document), "charge.json")
    (tmp_path / "charge.py").write_text(python.emit(model, {"charge": model}))
    monkeypatch.syspath_prepend(str(tmp_path))
    import charge

    value = charge.Charge(token=SECRET, amount=2, card=charge.ChargeCard(pan=SECRET, n=1))
    assert repr(value) == "Charge(token=<sensitive>, amount=2, card=ChargeCard(pan=<sensitive>, n=1))"
    assert SECRET not in str(value.new())


def test_a_value_that_is_sensitive_by_reference_or_in_a_list_is_hidden():
    secret = {"type": "string", "x-sensitive": True}
    schema = obj(
        "Send",
        {
            "one": {"$ref": "#/$defs/Secret"},
            "many": {"type": "array", "items": {"$ref": "#/$defs/Secret"}},
            "some": {"type": "object", "additionalProperties": secret},
            "open": {"type": "string"},
        },
    )
    contract = make_contract({**schema, "$defs": {"Secret": secret}}, worker="Shop.Send").__contract__
    args = {"one": SECRET, "many": [SECRET], "some": {"a": SECRET}, "open": "x"}

    assert contract.redact(args) == {**dict.fromkeys(("one", "many", "some"), "<sensitive>"), "open": "x"}


def test_args_that_are_too_deep_to_look_through_are_hidden_whole(pay):
    deep = []
    for _ in range(100_000):
        deep = [deep]

    assert pay.__contract__.redact({"amount": deep}) == "<sensitive>"


@pytest.mark.parametrize("columns", [{"args": json.dumps([SECRET])}, {"meta": json.dumps({"return": SECRET})}])
def test_neither_args_that_are_no_object_nor_an_earlier_result_are_in_a_line(pay, columns):
    job = make_job(**{"args": '{"amount": 1}', "meta": "{}", "worker": "Shop.Pay"} | columns)

    line = log.encode_event(events.JOB_START, telemetry.JobStart(job, 1))

    assert SECRET not in line
    assert "not shown" in line or "<sensitive>" in line
    assert pay.__contract__.redact([SECRET]) == "<sensitive>"
