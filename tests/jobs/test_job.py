"""A job as it is built for insertion, and as it is read from a row."""

import enum
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest

from bridge import Job, JobState
from bridge.errors import DecodeError, EncodeError, InvalidJob

NEW_YORK = timezone(-timedelta(hours=5))
MOMENT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def make_row(**columns):
    """A row as the engine reads it: JSON as text, times without zone."""
    return {
        "id": 7,
        "state": "retryable",
        "queue": "alpha",
        "worker": "W",
        "args": '{"a": 1}',
        "meta": '{"m": 2}',
        "tags": ["t"],
        "errors": '[{"at": "2026-01-01T00:00:00.000000Z", "attempt": 1, "error": "no"}]',
        "attempt": 1,
        "max_attempts": 20,
        "priority": 3,
        "attempted_by": ["node", "uuid"],
        "inserted_at": datetime(2026, 1, 1),  # noqa: DTZ001 - the columns have no time zone
        "scheduled_at": datetime(2026, 1, 2),  # noqa: DTZ001
        "attempted_at": datetime(2026, 1, 3),  # noqa: DTZ001
        "completed_at": None,
        "cancelled_at": None,
        "discarded_at": None,
        **columns,
    }


def read(**columns):
    return Job.from_row(make_row(**columns))


class Queues(str, enum.Enum):  # noqa: UP042 - its members' text differs from their str(), a StrEnum's doesn't
    BADGES = "badges"


class TestBuilding:
    def test_with_nothing_but_a_worker(self):
        job = Job("My.Worker")

        assert (job.id, job.worker, job.queue, job.state) == (None, "My.Worker", "default", "available")
        assert (job.args, job.meta, job.tags, job.errors) == ({}, {}, [], [])
        assert (job.attempt, job.max_attempts, job.priority, job.attempted_by) == (0, 20, 0, [])
        assert {job.inserted_at, job.scheduled_at, job.attempted_at, job.completed_at} == {None}
        assert {job.cancelled_at, job.discarded_at} == {None}
        assert job.cancelled() is False

    def test_with_everything(self):
        job = Job(
            "W",
            args={"a": 1},
            queue="q",
            max_attempts=1,
            priority=9,
            tags=("x",),
            meta={"m": 1},
            scheduled_at=MOMENT,
            state="scheduled",
        )

        assert (job.args, job.queue, job.max_attempts, job.priority) == ({"a": 1}, "q", 1, 9)
        assert (job.tags, job.meta, job.scheduled_at, job.state) == (["x"], {"m": 1}, MOMENT, "scheduled")

    def test_two_jobs_share_nothing(self):
        first, second = Job("W"), Job("W")

        first.args["a"], first.meta["m"] = 1, 1
        first.tags.append("t")
        first.errors.append({})

        assert (second.args, second.meta, second.tags, second.errors) == ({}, {}, [], [])

    def test_none_for_args_and_meta_is_an_empty_object(self):
        job = Job("W", args=None, meta=None)

        assert (job.args_json(), job.meta_json()) == ("{}", "{}")

    def test_typed_args(self):
        class Args(msgspec.Struct):
            n: int

        assert Job("W", args=Args(1)).args_json() == '{"n":1}'

    def test_names_of_an_enum_are_its_values(self):
        job = Job("W", queue=Queues.BADGES, tags=[Queues.BADGES])

        assert (job.queue, type(job.queue), job.tags) == ("badges", str, ["badges"])

    def test_members_of_the_states(self):
        assert Job("W", state=JobState.SUSPENDED).state is JobState.SUSPENDED
        assert Job("W", state="suspended").state is JobState.SUSPENDED

    def test_says_what_it_is(self):
        job = Job("W", queue="q", args={"secret": "value"})
        job.id = 5

        assert repr(job) == "Job(id=5, worker='W', queue='q', state='available')"


class TestTime:
    @pytest.mark.parametrize(
        ("given", "seconds"), [(60, 60), (0, 0), (1.5, 1.5), (-60, -60), (timedelta(hours=1), 3600)], ids=str
    )
    def test_in_seconds_from_now(self, given, seconds):
        before = datetime.now(UTC)
        job = Job("W", schedule_in=given)
        after = datetime.now(UTC)

        assert before <= job.scheduled_at - timedelta(seconds=seconds) <= after
        assert job.state == "scheduled"

    def test_at_a_moment_of_any_zone(self):
        job = Job("W", scheduled_at=datetime(2026, 7, 1, 7, tzinfo=NEW_YORK))

        assert job.scheduled_at == MOMENT
        assert job.scheduled_at.utcoffset() == timedelta(0)

    def test_a_past_moment_is_scheduled_too(self):
        """Oban 2.23: whoever gives a time has the stager start the job."""
        assert Job("W", scheduled_at=datetime(2000, 1, 1, tzinfo=UTC)).state == "scheduled"

    def test_suspended_with_a_time(self):
        job = Job("W", scheduled_at=MOMENT, state="suspended")

        assert (job.state, job.scheduled_at) == ("suspended", MOMENT)


class TestTags:
    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            (["b", "a", "c"], ["b", "a", "c"]),
            ([" Foo ", "BAR", "foo", "\tbaz\n"], ["foo", "bar", "baz"]),
            (["", "  ", "x"], ["x"]),
            (["ÀÉ İ", "ß"], ["àé i̇", "ß"]),
            (["ΟΔΟΣ"], ["οδοσ"]),
            (["\x1fa\x1c", "\u3000b\u2007"], ["\x1fa\x1c", "b"]),
            (("x", "y"), ["x", "y"]),
            ((tag for tag in "ab"), ["a", "b"]),
            ({"one"}, ["one"]),
            ([], []),
        ],
        ids=[
            "order",
            "trimmed, lower case, once",
            "empty",
            "as Elixir lowers",
            "sigma",
            "trims",
            "tuple",
            "generator",
            "set",
            "none",
        ],
    )
    def test_are_stored_as_oban_does(self, given, stored):
        assert Job("W", tags=given).tags == stored


class TestFromRow:
    def test_has_every_column(self):
        job = read()

        assert (job.id, job.state, job.queue, job.worker) == (7, "retryable", "alpha", "W")
        assert job.state is JobState.RETRYABLE
        assert (job.args, job.meta, job.tags) == ({"a": 1}, {"m": 2}, ["t"])
        assert job.errors == [{"at": "2026-01-01T00:00:00.000000Z", "attempt": 1, "error": "no"}]
        assert (job.attempt, job.max_attempts, job.priority, job.attempted_by) == (1, 20, 3, ["node", "uuid"])

    def test_times_are_in_utc(self):
        job = read(completed_at=datetime(2026, 1, 4))  # noqa: DTZ001 - as in the column

        assert job.inserted_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert job.scheduled_at == datetime(2026, 1, 2, tzinfo=UTC)
        assert job.attempted_at == datetime(2026, 1, 3, tzinfo=UTC)
        assert job.completed_at == datetime(2026, 1, 4, tzinfo=UTC)
        assert (job.cancelled_at, job.discarded_at) == (None, None)

    def test_nothing_is_decoded_before_it_is_read(self):
        job = read(args="[broken", meta="[broken", errors="[broken")

        assert job.worker == "W"
        for column in ("args", "meta", "errors"):
            with pytest.raises(DecodeError):
                getattr(job, column)

    @pytest.mark.parametrize("column", ["args", "meta", "errors"])
    def test_what_was_decoded_is_kept(self, column):
        job = read()

        assert getattr(job, column) is getattr(job, column)

    def test_null_columns_are_empty(self):
        job = read(meta=None, tags=None, attempted_by=None, priority=None)

        assert (job.meta, job.tags, job.attempted_by, job.priority) == ({}, [], [], 0)
        assert job.meta_json() == "{}"

    @pytest.mark.parametrize("text", ["[1]", "1", '"text"', "null", "true"])
    @pytest.mark.parametrize("column", ["args", "meta"])
    def test_what_is_no_object_is_told(self, column, text):
        job = read(**{column: text})

        with pytest.raises(DecodeError) as error:
            getattr(job, column)
        assert str(error.value) == f"{column} must be a JSON object, and the row holds {text}"

    def test_errors_of_either_schema(self):
        """Text for jsonb and jsonb[] alike; a driver may also hand over a list of texts."""
        entry = '{"at": "x", "attempt": 1, "error": "no"}'

        assert read(errors=f"[{entry}]").errors == read(errors=[entry]).errors
        assert read(errors="[]").errors == read(errors=[]).errors == []

    @pytest.mark.parametrize("text", ["1", '"a"', "null", "[]"])
    def test_an_error_that_is_no_object_is_readable(self, text):
        assert len(read(errors=f"[{text}]").errors) == 1


class TestText:
    def test_a_rows_own_text_is_kept_exactly(self):
        text = '{"n": 123456789012345678901234567890, "x": 1e400, "d": 1.10}'
        job = read(args=text, meta=text)

        assert (job.args_json(), job.meta_json()) == (text, text)

    def test_what_was_changed_in_place_counts(self):
        job = read()
        job.args["b"] = [1]
        del job.meta["m"]

        assert (job.args_json(), job.meta_json()) == ('{"a":1,"b":[1]}', "{}")

    def test_what_was_set_counts(self):
        job = read()
        job.args, job.meta = {"n": Decimal("1.10")}, {"n": None}

        assert (job.args_json(), job.meta_json()) == ('{"n":"1.10"}', '{"n":null}')
        assert (job.args, job.meta) == ({"n": Decimal("1.10")}, {"n": None})

    @pytest.mark.parametrize("text", ["[1]", "null", '"{}"'])
    def test_a_row_that_is_no_object_has_no_text_to_insert(self, text):
        job = read(args=text, meta=text)

        for encode in (job.args_json, job.meta_json):
            with pytest.raises(EncodeError, match=r"expected an object, got .*; pass a mapping, a Struct"):
                encode()

    def test_big_integers_come_back(self):
        assert read(args='{"n": 123456789012345678901234567890}').args == {"n": 123456789012345678901234567890}


def test_an_attribute_that_a_job_has_not_is_refused():
    job = Job("W")

    with pytest.raises(AttributeError):
        job.queu = "a"


def test_a_state_is_its_text():
    assert [str(state) for state in JobState] == [
        "available",
        "suspended",
        "scheduled",
        "executing",
        "retryable",
        "completed",
        "discarded",
        "cancelled",
    ]


def test_both_times_at_once_are_refused():
    with pytest.raises(InvalidJob, match="schedule_in: expected only one of scheduled_at and schedule_in, got 1"):
        Job("W", scheduled_at=MOMENT, schedule_in=1)


class TestToDict:
    def test_what_a_new_job_has_without_what_it_has_not(self):
        job = Job("W", args={"a": 1}, queue="alpha", scheduled_at=MOMENT, tags=["t"], unique=True)

        assert job.to_dict() == {
            "state": "scheduled",
            "queue": "alpha",
            "worker": "W",
            "args": {"a": 1},
            "meta": {},
            "tags": ["t"],
            "errors": [],
            "attempt": 0,
            "max_attempts": 20,
            "priority": 0,
            "attempted_by": [],
            "scheduled_at": MOMENT,
        }
        assert type(job.to_dict()["state"]) is str

    def test_all_columns_of_a_row_but_its_id_and_what_is_null(self):
        found = read().to_dict()

        assert set(make_row()) - set(found) == {"id", "completed_at", "cancelled_at", "discarded_at"}
        assert (found["args"], found["meta"]) == ({"a": 1}, {"m": 2})
        assert found["errors"][0]["error"] == "no"


class Unshown:
    """Has neither a text nor a repr."""

    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    "options",
    [
        {"replace": [Unshown()]},
        {"replace": {Unshown(): ["args"]}},
        {"replace": {5: ["args"]}},
        {"unique": {"states": [Unshown()]}},
        {"unique": {Unshown(): 1}},
        {"state": Unshown()},
    ],
)
def test_a_value_that_cant_be_shown_is_refused_as_any_other(options):
    with pytest.raises(InvalidJob, match="expected"):
        Job("W", **options)
