"""The options of unique jobs and of what their duplicates replace: checked, merged, warned of."""

from datetime import timedelta

import pytest

from bridge import Job, Worker, job, worker
from bridge.errors import InvalidJob, InvalidWorker
from bridge.jobs import JobState, Unique
from bridge.jobs.unique import GROUPS, _warn_of_gaps


def say(**options):
    return Job("W", **options)


class TestOptions:
    def test_defaults_are_obans(self):
        unique = Unique()

        assert (unique.period, unique.fields, unique.keys) == (60, ("args", "queue", "worker"), ())
        assert (unique.states, unique.timestamp, unique.index) == ("successful", "inserted_at", False)

    def test_true_is_all_of_them_forever(self):
        assert say(unique=True).unique == Unique(period="infinity")

    @pytest.mark.parametrize("value", [None, False], ids=repr)
    def test_not_unique(self, value):
        assert say(unique=value).unique is None

    def test_groups_are_obans(self):
        incomplete = ["available", "executing", "retryable", "scheduled", "suspended"]
        assert {name: sorted(states) for name, states in GROUPS.items()} == {
            "all": sorted(JobState),
            "incomplete": incomplete,
            "scheduled": ["scheduled"],
            "successful": sorted([*incomplete, "completed"]),
        }

    @pytest.mark.parametrize(
        ("period", "seconds"), [(5, 5), (0.5, 0.5), (timedelta(minutes=2), 120), ("infinity", None)], ids=str
    )
    def test_periods(self, period, seconds):
        assert Unique(period=period).seconds == seconds

    def test_what_is_given_twice_counts_once(self):
        unique = Unique(keys=["b", "a", "b"], fields=("args", "args"), states=[JobState.SCHEDULED, "scheduled"])

        assert (unique.keys, unique.fields, unique.state_names) == (("b", "a"), ("args",), ("scheduled",))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"perod": 60}, "unique: expected an option of unique jobs, got 'perod'; did you mean 'period'?"),
            ({"period": 0}, "unique.period: expected more than 0 seconds"),
            ({"period": -1}, "unique.period: expected more than 0 seconds"),
            ({"period": "day"}, "unique.period: expected a number of seconds or a timedelta, got 'day'"),
            ({"period": timedelta.max}, "at most 1000 years"),
            ({"period": True}, "unique.period: expected a number"),
            ({"fields": []}, "unique.fields: expected at least one of args, meta, queue, worker"),
            ({"fields": "args"}, "unique.fields: expected a list of"),
            ({"fields": ["arg"]}, "unique.fields: expected some of .*, got 'arg'; did you mean 'args'?"),
            ({"keys": "id"}, "unique.keys: expected a list of keys, got 'id'"),
            ({"keys": [1]}, "unique.keys: expected texts, got 1"),
            ({"keys": [["id"]]}, r"unique.keys: expected texts, got \['id'\]"),
            ({"fields": [["args"]]}, r"unique.fields: expected some of .*, got \['args'\]"),
            ({"states": [{}]}, "unique.states: expected some of .*, got {}"),
            ({"keys": ["a\0"]}, "unique.keys: expected text without NUL"),
            ({"keys": ["id"], "fields": ["worker"]}, "unique.keys: expected none, where neither args nor meta is"),
            ({"states": "succesful"}, "unique.states: .* did you mean 'successful'"),
            ({"states": "available"}, "a single state goes into a list"),
            ({"states": []}, "unique.states: expected at least one of"),
            ({"states": ["done"]}, "unique.states: expected some of"),
            ({"timestamp": "completed_at"}, "unique.timestamp: expected inserted_at or scheduled_at"),
            ({"index": 1}, "unique.index: expected True or False, got 1"),
            ({"index": True}, 'unique.period: expected "infinity" with index=True, got 60'),
            (
                {"index": True, "period": "infinity", "states": "scheduled"},
                "unique.states: expected one of all, incomplete, successful with index=True, got 'scheduled'",
            ),
            (
                {"index": True, "period": "infinity", "fields": ["meta"]},
                "unique.keys: expected keys of meta with index=True",
            ),
        ],
        ids=str,
    )
    def test_refused(self, options, message):
        with pytest.raises(InvalidJob, match=message):
            Unique(**options)
        with pytest.raises(InvalidJob, match=message):
            say(unique=options)

    @pytest.mark.parametrize("value", [{}, "yes", 60, []], ids=repr)
    def test_what_is_no_rule_is_refused(self, value):
        with pytest.raises(InvalidJob, match="unique: expected True, False, a dict or a Unique"):
            say(unique=value)

    def test_the_rule_of_a_row_says_it_in_one_order(self):
        first = Unique(period="infinity", fields=["worker", "args"], keys=["b", "a"], states="all", index=True)
        second = Unique(period="infinity", fields=["args", "worker"], keys=["a", "b"], states="all", index=True)

        assert first.rule == second.rule == {"fields": ["args", "worker"], "keys": ["a", "b"], "states": "all"}


class TestGaps:
    @pytest.fixture(autouse=True)
    def _untold(self):
        _warn_of_gaps.cache_clear()

    @pytest.mark.parametrize(
        ("states", "said"),
        [
            (["executing", "completed"], "holds no state that a new job has"),
            (["available", "scheduled", "retryable"], "leaves out suspended, executing"),
            (["available", "executing", "completed", "discarded"], "leaves out suspended, scheduled, retryable"),
        ],
        ids=str,
    )
    def test_are_warned_of_once(self, caplog, states, said):
        for _ in range(3):
            Unique(states=states)

        assert [said in record.message for record in caplog.records] == [True]

    @pytest.mark.parametrize(
        "states",
        [
            ["scheduled"],
            ["suspended", "available", "scheduled", "executing", "retryable"],
            ["suspended", "available", "scheduled", "executing", "retryable", "cancelled"],
            *GROUPS,
        ],
        ids=str,
    )
    def test_there_are_none(self, caplog, states):
        Unique(states=states)

        assert caplog.records == []


class TestReplace:
    def test_one_list_is_for_all_states(self):
        replace = say(replace=["args", "tags"]).replace

        assert replace == dict.fromkeys(JobState, ("args", "tags"))

    def test_by_state(self):
        assert say(replace={"scheduled": ["scheduled_at"], JobState.AVAILABLE: ("priority",)}).replace == {
            "scheduled": ("scheduled_at",),
            "available": ("priority",),
        }

    @pytest.mark.parametrize("value", [None, [], {}], ids=repr)
    def test_nothing(self, value):
        assert say(replace=value).replace is None

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("args", "replace: expected a list of columns, or a dict"),
            (["state"], "replace: expected a column that can be replaced, got 'state'"),
            ([["args"]], r"replace: expected a column that can be replaced, got \['args'\]"),
            (["arg"], "did you mean 'args'?"),
            ({"done": ["args"]}, "replace: expected a state, got 'done'"),
            ({"scheduled": "args"}, "replace: expected a list of columns"),
            (7, "replace: expected a list"),
        ],
        ids=str,
    )
    def test_refused(self, value, message):
        with pytest.raises(InvalidJob, match=message):
            say(replace=value)


def define(**options):
    @worker(**options)
    class Sync(Worker):
        def process(self, job):
            pass

    return Sync


class TestWorkers:
    def test_a_workers_jobs_are_what_it_says(self):
        sync = define(unique={"period": 30, "keys": ["id"]}, replace={"scheduled": ["args"]})

        assert sync.new({"id": 1}).unique == Unique(period=30, keys=["id"])
        assert sync.new({"id": 1}).replace == {"scheduled": ("args",)}

    @pytest.mark.parametrize("over", [{"states": "all"}, Unique(states="all")], ids=["dict", "Unique"])
    def test_a_call_is_merged_key_by_key(self, over):
        sync = define(unique={"period": 30, "keys": ["id"]})

        assert sync.new({"id": 1}, unique=over).unique == Unique(period=30, keys=["id"], states="all")
        assert sync.new({"id": 1}, unique={"period": 5}).unique == Unique(period=5, keys=["id"])

    @pytest.mark.parametrize("value", [None, False])
    def test_a_call_may_switch_it_off(self, value):
        assert define(unique=True).new(unique=value).unique is None

    def test_a_calls_options_replace_a_plain_true(self):
        """Oban 2.23 merges lists only."""
        assert define(unique=True).new(unique={"keys": ["id"]}).unique == Unique(keys=["id"])
        assert define(unique={"keys": ["id"]}).new(unique=True).unique == Unique(period="infinity")

    def test_replace_is_not_merged(self):
        sync = define(unique=True, replace={"scheduled": ["args"]})

        assert sync.new(replace={"available": ["tags"]}).replace == {"available": ("tags",)}

    def test_a_bad_rule_is_a_bad_definition(self):
        with pytest.raises(InvalidWorker, match="period"):
            define(unique={"period": 0})
        with pytest.raises(InvalidWorker, match="replace"):
            define(replace=["nothing"])

    def test_functions_have_it_too(self):
        @job(unique={"period": 10})
        def send(to):
            pass

        assert send.new("Ada").unique == Unique(period=10)


class TestAgain:
    def test_a_built_job_stays_unique(self):
        again = say(unique=True, replace=["args"]).again()

        assert again.unique == Unique(period="infinity")
        assert again.replace == dict.fromkeys(JobState, ("args",))

    def test_a_stored_one_does_not_take_its_rule_along(self):
        stored = say(meta={"bridge_unique": {"states": "all"}, "kept": 1})

        assert stored.again().meta == {"kept": 1}
