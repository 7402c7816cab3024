"""What a generated class does: read, write, build a job."""

import json
from types import MappingProxyType

import msgspec
import pytest

from bridge import Job
from bridge.errors import ContractError, DecodeError, EncodeError, InvalidJob
from bridge.jobs import Unique, contracts

from .rig import enum, make_contract, module_of, obj

SCHEMA = obj(
    "Badge",
    {"id": {"type": "integer", "minimum": 1}, "name": {"type": "string"}, "theme": enum("Theme", "light", "dark")},
    required=["id", "name"],
)
GOOD = {"id": 1, "name": "Ada"}


@pytest.fixture
def badge():
    return make_contract(
        SCHEMA, worker="Badges.Generate", queue="badges", max_attempts=3, priority=2, tags=["a"], version=4
    )


class TestSubclasses:
    @pytest.mark.parametrize("name", ["Badge", "Pin"])
    def test_a_generated_class_has_none(self, name):
        cls = make_contract(obj("Badge", {"pin": obj("Pin", {"a": {"type": "integer"}})}))
        parent = getattr(module_of(cls), name)

        with pytest.raises(TypeError, match=f"no subclass of {name}, which has the contract's fields"):
            type("More", (parent,), {"__annotations__": {"b": int}})


class TestDumpOfAnything:
    @pytest.mark.parametrize(
        ("value", "place"),
        [
            (float("nan"), "args.any"), ({"a": [1, float("inf")]}, "args.any.a[1]"), ("a\x00b", "args.any"),
            ({"a": "\ud800"}, "args.any.a"), ({"k\x00": 1}, "args.any"), ({"a": {1, 2}}, "args.any.a"),
        ],
    )  # fmt: skip
    def test_refuses_what_json_and_jsonb_lack_with_its_place(self, value, place):
        cls = make_contract(obj("Open", {"any": {}, "text": {"type": "string"}}))

        with pytest.raises(EncodeError) as caught:
            cls(any=value).dump()
        assert caught.value.field.startswith(place)
        with pytest.raises(EncodeError):
            cls(text="\x00").dump()


class TestCast:
    @pytest.mark.parametrize(
        "args",
        [GOOD, MappingProxyType(GOOD), json.dumps(GOOD), json.dumps(GOOD).encode()],
        ids=lambda value: type(value).__name__,
    )
    def test_takes_mappings_and_json(self, badge, args):
        assert badge.cast(args) == badge(id=1, name="Ada")

    def test_tells_all_violations(self, badge):
        with pytest.raises(ContractError) as caught:
            badge.cast({"id": 0, "theme": 3})
        assert caught.value.contract == "Badge@4"
        assert [(path, rule) for path, rule, _ in caught.value.violations] == [
            ("/name", "required"), ("/id", "minimum"), ("/theme", "type"), ("/theme", "enum"),
        ]  # fmt: skip
        assert str(caught.value).startswith("Badge@4: /name: expected this field, and it is missing; /id: ")

    @pytest.mark.parametrize("args", ["[1]", '"text"', "3", "null", [1], None, 3], ids=repr)
    def test_refuses_what_is_no_object(self, badge, args):
        with pytest.raises(ContractError, match="expected an object"):
            badge.cast(args)

    def test_refuses_what_is_no_json(self, badge):
        with pytest.raises(DecodeError):
            badge.cast("{")

    def test_a_value_too_deep_to_follow_breaks_the_contract(self):
        node = obj("Node", {"next": {"$ref": "#/$defs/Node"}})
        cls = make_contract({**obj("Root", {"node": {"$ref": "#/$defs/Node"}}), "$defs": {"Node": node}})
        text = '{"node": ' + '{"next": ' * 100_000 + "{}" + "}" * 100_001
        with pytest.raises(ContractError, match="levels of nesting"):
            cls.cast(text)

    def test_an_object_too_deep_to_follow_breaks_the_contract(self):
        node = obj("Node", {"next": {"$ref": "#/$defs/Node"}})
        cls = make_contract({**obj("Root", {"node": {"$ref": "#/$defs/Node"}}), "$defs": {"Node": node}})
        deep = module_of(cls).Node()
        for _ in range(5_000):
            deep = module_of(cls).Node(next=deep)
        with pytest.raises(ContractError, match="levels of nesting"):
            cls(node=deep).dump()

    def test_a_hundred_levels_are_read_and_written(self):
        node = obj("Node", {"next": {"$ref": "#/$defs/Node"}})
        cls = make_contract({**obj("Root", {"node": {"$ref": "#/$defs/Node"}}), "$defs": {"Node": node}})
        text = '{"node": ' + '{"next": ' * 100 + "{}" + "}" * 101
        assert cls.cast(text).dump() == json.loads(text)


class TestObjects:
    def test_are_frozen_and_take_keywords_only(self, badge):
        with pytest.raises(AttributeError):
            badge(**GOOD).id = 2
        with pytest.raises(TypeError):
            badge(1, "Ada")

    def test_type_checkers_alone_see_the_result(self, badge):
        assert not hasattr(badge, "__result__")

    def test_are_equal_by_value(self, badge):
        assert badge(**GOOD) == badge(**GOOD)
        assert msgspec.structs.replace(badge(**GOOD), id=2) == badge(id=2, name="Ada")


class TestNew:
    def test_builds_a_job_with_the_contracts_options(self, badge):
        job = badge(**GOOD).new(meta={"a": 1}, schedule_in=60)
        assert isinstance(job, Job)
        assert (job.worker, job.queue, job.max_attempts, job.priority, job.tags) == (
            "Badges.Generate", "badges", 3, 2, ["a"],
        )  # fmt: skip
        assert (job.args, job.raw_args, job.state) == (badge(**GOOD), GOOD, "scheduled")
        assert job.meta == {"a": 1, "contract": "Badge@4"}
        assert (json.loads(job.args_json()), json.loads(job.meta_json())) == (GOOD, job.meta)

    def test_options_win(self, badge):
        assert badge(**GOOD).new(queue="other", priority=9).queue == "other"

    def test_an_unknown_option_is_refused(self, badge):
        with pytest.raises(InvalidJob, match="did you mean 'queue'"):
            badge(**GOOD).new(quue="x")

    def test_a_value_out_of_bounds_is_refused(self, badge):
        with pytest.raises(ContractError, match="/id: expected at least 1, got 0"):
            badge(id=0, name="Ada").new()

    def test_its_jobs_are_unique_as_it_says_and_a_call_may_say_more(self):
        cls = make_contract(SCHEMA, unique={"period": 90, "keys": ["id"]})
        unique = cls(**GOOD).new().unique
        assert (unique.period, unique.keys, unique.states) == (90, ("id",), "successful")
        assert cls(**GOOD).new(unique={"states": "incomplete"}).unique == Unique(
            period=90, keys=["id"], states="incomplete"
        )
        assert cls(**GOOD).new(unique=False).unique is None

    def test_meta_that_was_set_later_has_the_tag_all_the_same(self, badge):
        job = badge(**GOOD).new()
        job.meta = {"b": 2}
        assert json.loads(job.meta_json()) == {"b": 2, "contract": "Badge@4"}

    def test_a_list_that_was_changed_later_is_checked_again(self):
        cls = make_contract(obj("Root", {"tags": {"type": "array", "items": {"type": "string"}}}))
        job = cls(tags=["a"]).new()
        job.args.tags.append(1)
        with pytest.raises(ContractError, match="/tags/1"):
            job.args_json()


async def test_enqueue_needs_an_instance(badge):
    from bridge.errors import InstanceNotFound

    with pytest.raises(InstanceNotFound):
        await badge(**GOOD).enqueue()


async def test_enqueue_takes_the_running_instance_or_the_one_it_is_given(badge, start, conn):
    oban = await start()
    first = await badge(**GOOD).enqueue()
    second = await badge(**GOOD).enqueue(oban, conn=conn)
    third = await badge(**GOOD).enqueue(oban="Oban", conn=conn)
    assert [job.worker for job in await oban.jobs(id=[first.id, second.id, third.id])] == ["Badges.Generate"] * 3


def test_a_class_without_its_definition_is_told_so():
    from bridge.contracts.runtime import Contract

    class Lone(Contract[None], frozen=True, kw_only=True):
        id: int

    with pytest.raises(AttributeError):
        Lone.cast({})


def test_the_contract_is_known_by_its_workers_name(badge):
    found = contracts.find("Badges.Generate")
    assert found is badge.__contract__
    assert found.tag == "Badge@4"
    assert found.schema == SCHEMA
    assert (found.errors, found.events, found.result) == ({}, {}, None)
