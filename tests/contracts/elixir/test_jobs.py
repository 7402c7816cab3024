"""Jobs of generated modules: their changeset, their worker in Elixir, and results that Python recorded."""

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest

from bridge.codecs import etf
from bridge.codecs.recorded import encode_recorded
from bridge.contracts.emit import elixir
from contracts.elixir import samples
from contracts.elixir.beam import NAMESPACE, Elixir
from contracts.elixir.models import model_of

FILE = {
    "title": "Paper",
    "type": "object",
    "required": ["path", "at"],
    "properties": {
        "path": {"type": "string", "minLength": 1},
        "at": {"type": "string", "format": "date-time"},
        "kind": {"enum": ["pdf", "png"]},
        "pages": {"type": "integer", "default": 1},
        "data": {"type": "string", "contentEncoding": "base64"},
    },
}
MAIL = {
    "type": "object",
    "required": ["id", "to"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "to": {"type": "string", "format": "email"},
        "pin": {"type": "string", "maxLength": 4, "x-sensitive": True},
    },
}
JOB: dict[str, Any] = {
    "worker": "MyApp.SendMail", "serves": "elixir", "queue": "mail", "max_attempts": 3, "priority": 2, "tags": ["a"],
    "timeout": 1.5, "version": 4, "aliases": ["MyApp.OldMail"], "result": {"$ref": "paper.json"},
    "unique": {"period": 30, "keys": ["id"], "states": ["available"], "timestamp": "scheduled_at"},
}  # fmt: skip
PAPER = {"path": "/a", "at": "2020-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def loaded(running: Elixir) -> Elixir:
    running.ask("compile", Path(__file__).with_name("oban.ex").read_text("utf-8"))
    found = [model_of(MAIL, "send_mail", job=JOB, others={"paper.json": FILE}), model_of(FILE, "paper")]
    running.load(found)
    running.ask("compile", worker("MyApp.SendMail"))
    return running


def test_states_that_an_older_oban_does_not_know_are_left_out(running: Elixir, loaded: Elixir) -> None:
    states = ["available", "scheduled", "executing", "retryable"]
    job = {**JOB, "worker": "MyApp.Once", "aliases": [], "unique": {"states": states}}
    del job["result"]
    once = model_of({"title": "Once", "type": "object", "properties": {}}, "once", job=job)

    assert once.job.unique["states"] == ["suspended", *states]
    assert "states: [:suspended, :available" in elixir.emit(once, {"once": once}, NAMESPACE)
    running.load([once])
    built = running.evaluate(f"{NAMESPACE}.Once.new(%{NAMESPACE}.Once{{}})")
    assert "states: [:available, :scheduled, :executing, :retryable]" in built


def worker(name: str, more: str = "", use: str = "") -> str:
    return f"""
    defmodule {name} do
      use {NAMESPACE}.SendMail{use}

      @impl {NAMESPACE}.SendMail
      def process(%{NAMESPACE}.SendMail{{id: id}}, %Oban.Job{{attempt: attempt}}), do: {{:ok, {{id, attempt}}}}
      {more}
    end
    """


def new(loaded: Elixir, args: str, opts: str = "[]") -> str:
    return loaded.evaluate(f"{NAMESPACE}.SendMail.new({args}, {opts})")


def test_a_job_has_the_contracts_options(loaded: Elixir) -> None:
    assert new(loaded, f'%{NAMESPACE}.SendMail{{id: 1, to: "a@b.c"}}') == (
        '{%{"id" => 1, "to" => "a@b.c"}, [meta: %{"contract" => "SendMail@4"}, worker: "MyApp.SendMail", '
        'queue: "mail", max_attempts: 3, priority: 2, tags: ["a"], '
        "unique: [period: 30, keys: [:id], states: [:available], timestamp: :scheduled_at]]}"
    )


def test_options_of_the_caller_win_and_meta_is_merged(loaded: Elixir) -> None:
    found = new(loaded, '%{"id" => 1, "to" => "a@b.c"}', '[queue: "fast", meta: %{"by" => 1, "contract" => "x"}]')
    assert 'queue: "fast"' in found
    assert 'meta: %{"by" => 1, "contract" => "SendMail@4"}' in found
    assert 'meta: %{"contract" => "SendMail@4"}' in new(loaded, '%{id: 1, to: "a@b.c"}', "[meta: nil]")


def test_args_that_break_the_contract_raise_with_all_violations(loaded: Elixir) -> None:
    with pytest.raises(RuntimeError, match=rf"{NAMESPACE}\.SendMail: /") as error:
        new(loaded, '%{id: 0, badge_id: 1, pin: "12345"}')
    for told in (
        "/id: expected at least 1, got 0",
        "/to: expected this field",
        "/badge_id: expected no such field",
        "/pin",
    ):
        assert told in str(error.value)
    assert "12345" not in str(error.value)


def test_a_worker_processes_args_as_their_struct(loaded: Elixir) -> None:
    assert loaded.evaluate('MyApp.SendMail.perform(%Oban.Job{args: %{"id" => 7, "to" => "a@b.c"}})') == "{:ok, {7, 1}}"


def test_a_worker_cancels_what_breaks_the_contract(loaded: Elixir) -> None:
    found = loaded.evaluate('MyApp.SendMail.perform(%Oban.Job{args: %{"id" => 0, "pin" => "12345"}})')
    assert found.startswith('{:cancel, "SendMail@4: /')
    for told in ("/id: expected at least 1", "/to: expected this field", "/pin: expected text"):
        assert told in found
    assert "12345" not in found


def test_a_workers_own_new_keeps_the_contract_too(loaded: Elixir) -> None:
    with pytest.raises(RuntimeError, match="/to: expected this field"):
        loaded.evaluate("MyApp.SendMail.new(%{id: 1})")
    found = loaded.evaluate('MyApp.SendMail.new(%{id: 1, to: "a@b.c"}, tags: ["b"])')
    assert 'tags: ["b"]' in found
    assert 'meta: %{"contract" => "SendMail@4"}' in found


def test_a_worker_has_the_contracts_options_and_timeout(loaded: Elixir) -> None:
    assert loaded.evaluate("MyApp.SendMail.timeout(%Oban.Job{})") == "1500"
    options = loaded.evaluate("MyApp.SendMail.__opts__()")
    assert 'queue: "mail"' in options
    assert "meta" not in options


def test_a_worker_may_have_an_alias_its_own_options_and_timeout(loaded: Elixir) -> None:
    loaded.ask("compile", worker("MyApp.OldMail", "@impl true\n def timeout(_job), do: 9", ', tags: ["old"]'))
    assert loaded.evaluate("MyApp.OldMail.timeout(%Oban.Job{})") == "9"
    assert 'tags: ["old"]' in loaded.evaluate('MyApp.OldMail.new(%{id: 1, to: "a@b.c"})')


def test_a_worker_of_another_name_does_not_compile(loaded: Elixir) -> None:
    with pytest.raises(RuntimeError, match=r"served by MyApp.SendMail or MyApp.OldMail, not by MyApp.Mail"):
        loaded.ask("compile", worker("MyApp.Mail"))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("profile", ["portable", "native"])
def test_results_that_python_recorded_are_read_as_their_struct(loaded: Elixir, padded: bool, profile: Any) -> None:
    text = encode_recorded({**PAPER, "kind": "pdf", "data": "/w=="}, profile=profile)
    text += "=" * (-len(text) % 4 if padded else 0)
    assert fetched(loaded, text) == (
        f'{{:ok, %{NAMESPACE}.Paper{{path: "/a", at: ~U[2020-01-01 00:00:00Z], kind: :pdf, data: <<255>>, pages: 1}}}}'
    )


def test_results_of_elixir_with_atoms_and_datetimes_are_read_too(loaded: Elixir) -> None:
    term = ':erlang.term_to_binary(%{path: "/a", at: ~U[2020-01-01 00:00:00Z], kind: :pdf}, [:compressed])'
    found = loaded.evaluate(f"{NAMESPACE}.SendMail.fetch_result({meta_of(f'Base.encode64({term})')})")
    assert f'{{:ok, %{NAMESPACE}.Paper{{path: "/a", at: ~U[2020-01-01 00:00:00Z], kind: :pdf,' in found


def test_a_result_that_breaks_its_contract_is_told_by_path(loaded: Elixir) -> None:
    found = fetched(loaded, encode_recorded({"path": "", "at": 1}))
    assert found.startswith("{:error, [%{message:")
    assert 'path: "/path", rule: "minLength"' in found
    assert 'path: "/at", rule: "type"' in found


def test_jobs_without_a_result_are_told_apart(loaded: Elixir) -> None:
    for job in ("%{meta: nil}", "%{meta: %{}}", '%{meta: %{"recorded" => false, "return" => "g2o"}}', "%{}"):
        assert loaded.evaluate(f"{NAMESPACE}.SendMail.fetch_result({job})") == "{:error, :not_recorded}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x83\x77\x0bnever_heard", "unreadable"),  # an atom that isn't there
        (b"\x83", "unreadable"),
        (b"no term", "unreadable"),
        (b"\x83P\xff\xff\xff\xff" + zlib.compress(b"\x00" * 100), "too_large"),
        (b"\x83P\x00\x00\x00\x05" + zlib.compress(b"m\x00\x00\x00\x01a" * 1000), "unreadable"),
    ],
)
def test_what_is_no_term_and_what_is_too_large_is_not_read(loaded: Elixir, data: bytes, reason: str) -> None:
    assert fetched(loaded, base64.b64encode(data).decode()) == f"{{:error, :{reason}}}"


def test_what_is_no_base64_is_not_read(loaded: Elixir) -> None:
    assert fetched(loaded, "!!") == "{:error, :unreadable}"


def test_functions_in_a_result_are_told_and_never_called(loaded: Elixir) -> None:
    data = etf.encode({**PAPER, "path": (1, 2)}, "native")
    assert 'path: "/path", rule: "type"' in fetched(loaded, base64.b64encode(data).decode())


def test_modules_have_only_what_they_can_do(loaded: Elixir) -> None:
    shared = loaded.evaluate(f"{NAMESPACE}.Paper.__info__(:functions) |> Keyword.keys()")
    assert shared == "[:__shape__, :__struct__, :__struct__, :cast, :dump]"
    source = elixir.emit(model_of(MAIL, "py_mail", job={**samples.JOB, "serves": "python"}), {}, NAMESPACE)
    assert "__using__" not in source
    assert "fetch_result" not in source


def fetched(loaded: Elixir, text: str) -> str:
    return loaded.evaluate(f"{NAMESPACE}.SendMail.fetch_result({meta_of(repr_of(text))})")


def meta_of(text: str) -> str:
    return f'%{{meta: %{{"recorded" => true, "return" => {text}}}}}'


def repr_of(text: str) -> str:
    return f'"{text}"'
