"""The ledger gives back what was noted, of all jobs or of some, while it is written."""

import os
import time

from .ledger import Execution, Ledger, note


def test_the_ledger_gives_executions_as_they_were_begun(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text("S 1 1 10 a 5.0 work\nS 1 2 11 b 7.0 long\nE 1 1 10 a 8.0 completed\n")
    assert ledger.executions() == {1: [Execution(1, 1, 10, "a", 5.0, 8.0, "completed"), Execution(1, 2, 11, "b", 7.0)]}
    assert ledger.begun() == 2
    assert ledger.begun(11) == 1
    assert ledger.in_flight([10]) == []
    assert [run.pid for run in ledger.in_flight([10, 11])] == [11]
    assert ledger.last_begun("work", [10, 11]) == 5.0
    assert ledger.last_begun("long", [10]) == 0.0
    ledger.sync()


def test_the_ledger_finds_some_jobs_executions_in_a_file_that_grows(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    for turn in range(1, 4):
        with ledger.path.open("a") as file:
            for job in range(1, 3001):
                file.write(f"S {job} {turn} 7 a {turn}.1 work\nE {job} {turn} 7 a {turn}.2 failed\n")
            file.write("no line of a ledger\nS 60")  # the rest is on its way
        found = ledger.executions({5, 3000, 9000})
        assert {job: [run.attempt for run in runs] for job, runs in found.items()} == {
            5: list(range(1, turn + 1)),
            3000: list(range(1, turn + 1)),
        }
        assert found[5][-1] == Execution(5, turn, 7, "a", turn + 0.1, turn + 0.2, "failed")
        with ledger.path.open("a") as file:
            file.write("01 99 8 a 0.5 work\n")
    assert [run.attempt for run in ledger.executions({599})[599]] == [1, 2, 3]
    assert ledger.executions({5, 599}) == {job: ledger.executions()[job] for job in (5, 599)}
    assert ledger.in_flight([8]) == [Execution(6001, 99, 8, "a", 0.5)]


def test_the_ledger_leaves_out_what_is_older(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text("".join(f"S {job} 1 7 a {job}.0 work\n" for job in range(1, 5001)))
    jobs = [line.job for line in ledger.lines(since=4500.0)]
    assert jobs == list(range(jobs[0], 5001))
    assert 3400 < jobs[0] <= 4500
    assert len(list(ledger.lines(since=0.0))) == len(list(ledger.lines())) == 5000


def test_a_note_is_one_line_whatever_the_queue_is_called(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "ledger")
    for name, value in ledger.environment("a").items():
        monkeypatch.setenv(name, value)
    begun = time.monotonic()
    note("S", 1, 1, "a queue\nof any name")
    note("S", 2, 1, "")
    assert [line.outcome for line in ledger.lines()] == ["a_queue_of_any_name", "-"]
    assert ledger.last_begun("a_queue_of_any_name", [os.getpid()]) >= begun - 0.001
