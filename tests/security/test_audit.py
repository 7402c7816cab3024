"""The audit of dependencies: clean, vulnerable and not asked are three ends, and none is taken for another."""

import importlib.util
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from guides.page import ROOT

SCRIPT = ROOT / "scripts" / "audit.py"


def load():
    spec = importlib.util.spec_from_file_location("audit_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


audit = load()
KNOWN = audit.KNOWN.replace("==", " ")

ADVISORY = {
    "id": "PYSEC-1",
    "summary": "bad",
    "affected": [{
        "package": {"name": "x", "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
    }],
}  # fmt: skip


@contextmanager
def service(answer):
    """A service that speaks OSV's protocol; `answer("name version")` returns the status and the advisories."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = query["package"]["name"]
            asked.append(name)
            status, advisories = answer(f"{name} {query['version']}")
            for each in advisories:
                each["affected"][0]["package"]["name"] = name
            body = json.dumps({"vulns": advisories} if advisories else {}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        server.server_close()


def run(url, *options):
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--osv-url", url, *options],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_clean_is_said_where_every_package_was_asked_about():
    with service(lambda release: (200, [ADVISORY] if release == KNOWN else [])) as (url, asked):
        done = run(url)
    assert {"asyncpg", "msgspec", "typer"} <= set(asked)
    assert done.returncode == 0, done.stderr
    assert f"audit: clean: osv knows of no vulnerability in {len(asked) - 1} packages" in done.stdout


def test_a_vulnerable_package_is_named_with_the_version_that_is_fixed():
    with service(lambda release: (200, [ADVISORY] if release == KNOWN or "asyncpg" in release else [])) as (url, _):
        done = run(url)
    assert done.returncode == 1
    assert "audit: VULNERABLE" in done.stderr
    assert "  asyncpg " in done.stderr
    assert "PYSEC-1, fixed in 99.0" in done.stderr


@pytest.mark.parametrize("answer", [lambda _name: (200, []), lambda _name: (500, []), lambda _name: (404, [])])
@pytest.mark.parametrize(("options", "status"), [([], 0), (["--require"], 2)])
def test_a_service_that_knows_nothing_is_not_a_clean_audit(answer, options, status):
    with service(answer) as (url, _):
        done = run(url, *options)
    assert done.returncode == status
    assert "audit: NOT AUDITED" in done.stderr
    assert "clean" not in done.stdout


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--require"], 2)])
def test_a_service_that_can_not_be_reached_is_none_either(options, status):
    done = run("http://127.0.0.1:9/v1/query", *options)
    assert done.returncode == status
    assert "audit: NOT AUDITED. No advisory service could be asked" in done.stderr
    assert "This is not a clean audit" in done.stderr
    assert done.stdout == ""


def test_a_package_without_an_answer_is_missing_and_not_clean():
    report = [
        {"name": "A_b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"},
    ]
    verdict = audit.judge(report, ["a-b", "c", "d"])
    assert (verdict.answered, verdict.missing, verdict.vulnerable) == (1, ["c", "d"], [])


def test_what_is_installed_is_what_has_to_be_answered_for():
    names = audit.installed()
    assert {"asyncpg", "msgspec", "typer", "pip-audit"} <= set(names)
    assert "oban-bridge" not in names
