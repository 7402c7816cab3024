"""The DSN's TLS options hold for every connection that Bridge opens."""

import asyncio
import os
import ssl

import asyncpg
import pytest
from cli.rig import Commands
from doctor.rig import examined
from queues.conftest import ends, gate, worker
from queues.processes.conftest import app, begin
from queues.rig import connected, node, until

from bridge.doctor import Level
from bridge.engine import connect, create_pool
from bridge.errors import InvalidSetting

from .tls import Certificates, gate_to

__all__ = ["app", "begin", "ends", "gate", "worker"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    """No certificates of whoever runs this, and no options of theirs."""
    for name in [name for name in os.environ if name.startswith("PGSSL")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
async def encrypted(installed, certificates):
    async with gate_to(installed, certificates.context()) as gate:
        yield gate


@pytest.fixture
async def plain(installed):
    async with gate_to(installed, None) as gate:
        yield gate


@pytest.fixture
async def asking(installed, certificates):
    """A gate that wants to see a client's certificate."""
    async with gate_to(installed, certificates.context(asks_client=True)) as gate:
        yield gate


async def opened(dsn):
    conn = await connect(dsn, timeout=10)
    try:
        assert await conn.fetchval("select 1") == 1
    finally:
        await conn.close()


# The modes


@pytest.mark.parametrize(
    ("mode", "way"), [(None, "tls"), ("disable", "plain"), ("prefer", "tls"), ("require", "tls"), ("allow", "plain")]
)
async def test_modes_that_trust_any_certificate(encrypted, mode, way):
    await opened(encrypted.dsn(**({} if mode is None else {"sslmode": mode})))
    assert encrypted.ways == [way]


async def test_what_is_preferred_is_done_without_where_the_server_can_not(plain):
    await opened(plain.dsn(sslmode="prefer"))
    assert plain.ways == ["plain"]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_what_is_required_is_never_done_without(plain, certificates, mode):
    options = {} if mode == "require" else {"sslrootcert": certificates.root}
    with pytest.raises(
        InvalidSetting, match=f"sslmode: expected a mode for a server without TLS, got '{mode}'"
    ) as told:
        await opened(plain.dsn(sslmode=mode, **options))
    assert plain.ways == []
    assert "tell-nobody" not in f"{told.value!r}{told.value}"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_root_that_did_not_sign_the_server_s_certificate_ends_it(encrypted, certificates, mode):
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        await opened(encrypted.dsn(sslmode=mode, sslrootcert=certificates.other_root))
    assert encrypted.ways == []


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_the_root_that_did(encrypted, certificates, mode):
    await opened(encrypted.dsn(sslmode=mode, sslrootcert=certificates.root))
    assert encrypted.ways == ["tls"]


async def test_the_name_counts_where_it_is_to_be_verified_and_only_there(encrypted, certificates):
    await opened(encrypted.dsn(host="127.0.0.1", sslmode="verify-ca", sslrootcert=certificates.root))
    assert encrypted.ways == ["tls"]
    with pytest.raises(ssl.SSLCertVerificationError, match=r"IP address mismatch|Hostname mismatch"):
        await opened(encrypted.dsn(host="127.0.0.1", sslmode="verify-full", sslrootcert=certificates.root))
    assert encrypted.ways == ["tls"]


async def test_a_client_s_certificate_is_shown(asking, certificates):
    shown = {"sslcert": certificates.client_cert, "sslkey": certificates.client_key}
    await opened(asking.dsn(sslmode="verify-full", sslrootcert=certificates.root, **shown))
    assert asking.ways == ["tls"]
    with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
        await opened(asking.dsn(sslmode="verify-full", sslrootcert=certificates.root))
    assert asking.ways == ["tls"]


async def test_the_environment_s_options_hold_where_the_dsn_has_none(encrypted, plain, certificates, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", certificates.root)
    await opened(encrypted.dsn())
    await opened(encrypted.dsn(sslmode="disable"))
    assert encrypted.ways == ["tls", "plain"]
    with pytest.raises(InvalidSetting, match="sslmode"):
        await opened(plain.dsn())
    monkeypatch.setenv("PGSSLROOTCERT", certificates.other_root)
    with pytest.raises(ssl.SSLCertVerificationError):
        await opened(encrypted.dsn())
    assert plain.ways == []


async def test_roots_in_the_home_folder_are_taken_as_libpq_does(encrypted, certificates, tmp_path):
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_bytes(certificates.stranger.cert_pem.bytes())
    for mode in ("require", "verify-ca"):
        with pytest.raises(ssl.SSLCertVerificationError):
            await opened(encrypted.dsn(sslmode=mode))
    (tmp_path / ".postgresql" / "root.crt").write_bytes(certificates.authority.cert_pem.bytes())
    await opened(encrypted.dsn(sslmode="verify-full"))
    assert encrypted.ways == ["tls"]


async def test_versions_of_tls_may_be_bounded(encrypted, certificates, installed):
    context = certificates.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with gate_to(installed, context) as old:
        await opened(old.dsn(sslmode="require"))
        with pytest.raises(OSError):  # noqa: PT011 - OpenSSL words it by its version
            await opened(old.dsn(sslmode="require", ssl_min_protocol_version="TLSv1.3"))
        assert old.ways == ["tls"]
    await opened(encrypted.dsn(sslmode="require", ssl_min_protocol_version="TLSv1.3"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"sslmode": "verify-full", "sslrootcert": "/nowhere/root.crt"},
            "sslrootcert: expected a file that can be read",
        ),
        ({"sslmode": "verify-ca"}, "sslrootcert: expected a file that can be read"),
        ({"sslmode": "require", "sslcert": "/nowhere/client.crt"}, "sslcert: expected a file that can be read"),
        ({"sslmode": "always"}, "sslmode"),
        ({"sslmode": "require", "ssl_min_protocol_version": "SSLv3"}, "dsn"),
    ],
)
async def test_options_that_can_not_hold_are_refused_before_anything_is_sent(encrypted, options, told):
    for opening in (opened, lambda dsn: create_pool(dsn, min_size=0)):
        with pytest.raises(InvalidSetting, match=told) as refusal:
            await opening(encrypted.dsn(**options))
        assert "tell-nobody" not in f"{refusal.value!r}{refusal.value}"
    assert encrypted.ways == []


# Every connection


async def test_all_connections_of_a_node_are_encrypted(encrypted, certificates, registry, worker, ends):
    async def process(_job):
        return None

    cls = worker(process)
    dsn = encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root)
    lifeline = {"rescue_after": 1}
    async with node(dsn, registry, cron=[{"expression": "@reboot", "worker": "W"}], lifeline=lifeline) as oban:
        await asyncio.wait_for(connected(oban), 10)
        await ends.of(await oban.enqueue(cls.new()))
        beaten = oban._runtime.heartbeat
        await asyncio.to_thread(asyncio.run, beaten._relieve())  # what the thread does for a loop that is blocked
        assert beaten.relieved == 1
    assert len(encrypted.ways) >= 4
    assert set(encrypted.ways) == {"tls"}


async def test_a_listener_s_own_dsn_has_its_own_options(encrypted, plain, certificates, registry):
    straight = encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root)
    async with node(plain.dsn(sslmode="disable"), registry, notifier={"dsn": straight}) as oban:
        await asyncio.wait_for(connected(oban), 10)
    assert (set(plain.ways), encrypted.ways) == ({"plain"}, ["tls"])


async def test_children_encrypt_theirs(encrypted, certificates, conn, begin, app):
    await begin(dsn=encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root))
    job_id = await conn.fetchval("insert into oban_jobs (worker) values ('Processes.Parent') returning id")

    async def ended():
        return await conn.fetchval("select state = 'completed' from oban_jobs where id = $1", job_id)

    await until(ended, patience=30)
    assert set(encrypted.ways) == {"tls"}  # the child enqueued a job, and has no other way


async def test_commands_encrypt_theirs(encrypted, certificates, tmp_path):
    run = Commands(encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root), tmp_path)
    for command in (
        ["jobs", "enqueue", "W"],
        ["jobs", "list"],
        ["queues", "list"],
        ["status"],
        ["maintain", "prune"],
        ["doctor"],
    ):
        told = await run.process(*command)
        assert told.returncode == 0, told.stderr
    assert set(encrypted.ways) == {"tls"}


async def test_a_command_that_trusts_another_root_says_so_in_a_line(encrypted, certificates, tmp_path):
    run = Commands(encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.other_root), tmp_path)
    for command in (["jobs", "list"], ["doctor"], ["start", "--queues", "default:1"]):
        told = await run.process(*command)
        assert told.returncode == 1
        assert "certificate verify failed" in told.stderr
        assert "Traceback" not in told.stderr
        assert "tell-nobody" not in told.stdout + told.stderr
    assert encrypted.ways == []


async def test_the_doctor_tells_of_a_way_that_is_not_encrypted_by_what_the_server_sees(plain):
    findings = await examined(plain.dsn(sslmode="disable"))
    assert findings["tls"].level in (Level.OK, Level.NOTE)
    assert findings["tls"].figures["tls"] is False
