"""Ask a public advisory service about every package of this environment: `audit.py [--require] [--osv-url URL]`.

Three ends: *clean*, where an answer came for every package and none is known to be vulnerable; *vulnerable*, where one
is; and *not audited*, where nobody could be asked about all of them. The last is never told as the first: it is said
loudly, and with `--require` it fails. A release with known vulnerabilities, which nobody installs, shows whether a
service knows any at all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

#: A release whose vulnerabilities every service knows; nothing is installed of it.
KNOWN = "jinja2==2.4.1"

#: Our own, which is installed from this folder.
OWN = "oban-bridge"

VULNERABLE, NOT_AUDITED = 1, 2
_PATIENCE = 600  # seconds for one service


class NotAskedError(Exception):
    """A service gave no answer that can be relied on; the text says why."""


@dataclass
class Verdict:
    """What a service said of the packages.

    Attributes:
        vulnerable: Lines of what is known of a package.
        answered: How many packages it knew.
        missing: Packages about which nobody could be asked.
    """

    vulnerable: list[str] = field(default_factory=list)
    answered: int = 0
    missing: list[str] = field(default_factory=list)


def main() -> int:
    """Ask, print the verdict, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--require", action="store_true", help="fail where nobody could be asked")
    parser.add_argument("--osv-url", help="another address of OSV's API, and no other service")
    options = parser.parse_args()
    reasons = []
    for service in ["osv"] if options.osv_url else ["pypi", "osv"]:
        try:
            verdict = ask(service, options.osv_url)
        except NotAskedError as reason:
            reasons.append(f"{service}: {reason}")
            continue
        return _tell(service, verdict)
    return _tell_unasked(reasons, required=options.require)


def ask(service: str, osv_url: str | None = None) -> Verdict:
    """Return what a service says of the packages that are installed here.

    Raises:
        NotAskedError: It could not be reached, doesn't know advisories, or doesn't know some of the packages.
    """
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "known.txt")
        known.write_text(f"{KNOWN}\n", encoding="utf-8")
        canary = _report(service, osv_url, "--requirement", str(known), "--no-deps", "--disable-pip")
    if skipped := [found["skip_reason"] for found in canary if "skip_reason" in found]:
        raise NotAskedError(f"of a package that there is it says: {skipped[0]}")
    if not judge(canary, []).vulnerable:
        raise NotAskedError(f"it knows no advisory for {KNOWN}, which has some")
    verdict = judge(_report(service, osv_url, "--local", "--skip-editable"), installed())
    if verdict.missing and not verdict.vulnerable:
        shown = ", ".join(verdict.missing[:5])
        raise NotAskedError(f"it did not answer for {len(verdict.missing)} packages, such as {shown}")
    return verdict


def installed() -> list[str]:
    """Return the names of all packages of this environment but our own."""
    names = {dist.metadata["Name"].lower().replace("_", "-") for dist in distributions(path=_places())}
    return sorted(names - {OWN})


def _places() -> list[str]:
    return [place for place in sys.path if place.endswith(("site-packages", "dist-packages"))]


def judge(report: list[dict[str, Any]], names: list[str]) -> Verdict:
    """Return the verdict of a report of pip-audit's on packages that it has to answer for."""
    verdict = Verdict()
    answered = set()
    for found in report:
        name = found["name"].lower().replace("_", "-")
        if "skip_reason" in found or "vulns" not in found:
            continue
        answered.add(name)
        for known in found["vulns"]:
            fixes = ", ".join(known.get("fix_versions", ())) or "no version yet"
            verdict.vulnerable.append(f"{name} {found['version']}: {known['id']}, fixed in {fixes}")
    verdict.answered = len(answered)
    verdict.missing = [name for name in names if _canonical(name) not in set(map(_canonical, answered))]
    return verdict


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _report(service: str, osv_url: str | None, *what: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--desc", "off"]
    command += ["--vulnerability-service", service, *(["--osv-url", osv_url] if osv_url else []), *what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise NotAskedError(f"no answer within {_PATIENCE} s") from None
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise NotAskedError(last[:300]) from None
    return found


def _tell(service: str, verdict: Verdict) -> int:
    if verdict.vulnerable:
        print(f"audit: VULNERABLE, says {service}:", *verdict.vulnerable, sep="\n  ", file=sys.stderr)
        print("Raise the lower bound in pyproject.toml to a version that is fixed.", file=sys.stderr)
        return VULNERABLE
    print(f"audit: clean: {service} knows of no vulnerability in {verdict.answered} packages")
    return 0


def _tell_unasked(reasons: list[str], *, required: bool) -> int:
    line = "!" * 100
    print(line, "audit: NOT AUDITED. No advisory service could be asked, so nothing is known of the packages:",
          *(f"  {reason}" for reason in reasons),
          "This is not a clean audit: run `make audit REQUIRE=1` where a service can be reached, before a release.",
          line, sep="\n", file=sys.stderr)  # fmt: skip
    return NOT_AUDITED if required else 0


if __name__ == "__main__":
    sys.exit(main())
