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

from bridge import Job, Oban
from bridge.doctor import Level
from bridge.engine import connect, create_pool
from bridge.errors import InvalidSetting
from bridge.sync import SyncOban

from .tls import Certificates, gate_to

__all__ = ["app", "begin", "ends", "gate", "worker"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    """No certificates of whoever runs this, and no options of theirs."""
    for name in [name for name in os.environ if name.startswith("PG")]:
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
    conn = await connect(dsn, timeout=60)
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


async def test_a_certificate_that_was_revoked_is_none(encrypted, certificates):
    options = {"sslmode": "verify-full", "sslrootcert": certificates.root}
    await opened(encrypted.dsn(**options, sslcrl=certificates.revocations(server=False)))
    assert encrypted.ways == ["tls"]
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate revoked"):
        await opened(encrypted.dsn(**options, sslcrl=certificates.revocations(server=True)))
    assert encrypted.ways == ["tls"]


async def test_a_client_s_key_is_opened_by_its_password(asking, certificates):
    shown = {"sslcert": certificates.client_cert, "sslkey": certificates.locked_key("tell-me")}
    dsn = asking.dsn(sslmode="verify-full", sslrootcert=certificates.root, **shown)
    await opened(f"{dsn}&sslpassword=tell-me")
    assert asking.ways == ["tls"]
    for wrong in ("", "&sslpassword=tell-nobody"):
        with pytest.raises(InvalidSetting, match="sslcert: expected a certificate whose key sslkey names") as told:
            await opened(f"{dsn}{wrong}")
        assert "tell-nobody" not in f"{told.value!r}{told.value}"
    assert asking.ways == ["tls"]


@pytest.mark.parametrize("by", ["the DSN", "the environment"])
async def test_tls_from_the_first_byte_on(installed, certificates, monkeypatch, by):
    options = {"sslmode": "verify-full", "sslrootcert": certificates.root}
    async with gate_to(installed, certificates.context(), direct=True) as straight:
        with monkeypatch.context() as environment:
            if by == "the environment":
                environment.setenv("PGSSLNEGOTIATION", "direct")
            else:
                options["sslnegotiation"] = "direct"
            await opened(straight.dsn(**options))
            assert straight.ways == ["direct tls"]
            with pytest.raises(ssl.SSLCertVerificationError):
                await opened(straight.dsn(**options | {"sslrootcert": certificates.other_root}))
            for mode in ("prefer", "allow", "disable"):
                with pytest.raises(InvalidSetting, match="sslnegotiation: expected sslmode=require, verify-ca or "):
                    await opened(straight.dsn(**options | {"sslmode": mode}))
    assert straight.ways == ["direct tls"]


async def test_tls_from_the_first_byte_on_is_not_done_without_where_the_server_asks_for_a_word_first(
    encrypted, plain, certificates
):
    for way in (encrypted, plain):
        with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
            await opened(way.dsn(sslmode="require", sslnegotiation="direct", connect_timeout=2))
        assert way.ways == []


async def test_each_of_several_hosts_is_verified(encrypted, plain, installed, certificates):
    options = {"sslmode": "verify-full", "sslrootcert": certificates.root}
    async with gate_to(installed, certificates.context(stranger=True)) as strange:
        await opened(encrypted.dsn(before=[plain, strange], **options))
        assert (plain.ways, strange.ways, encrypted.ways) == ([], [], ["tls"])
        with pytest.raises((ssl.SSLCertVerificationError, InvalidSetting)):
            await opened(strange.dsn(before=[plain], **options))
        with pytest.raises((ssl.SSLCertVerificationError, InvalidSetting)):
            await opened(plain.dsn(before=[strange], **options))
        assert (plain.ways, strange.ways, encrypted.ways) == ([], [], ["tls"])


#: Options of libpq's that can't be had, which would be missed in silence.
DEMANDS = {
    "channel_binding": "require",
    "require_auth": "scram-sha-256",
    "gssencmode": "require",
    "sslcertmode": "require",
    "sslcrldir": "/etc/ssl/crl",
    "requirepeer": "postgres",
}

OPENINGS = {
    "connect": opened,
    "pool": create_pool,
    "instance": lambda dsn: Oban(dsn=dsn).start(),
    "in the background": lambda dsn: Oban(dsn=dsn, connect="background").start(),
    "listener": lambda dsn: Oban(dsn="postgresql://127.0.0.1:1/db", notifier={"dsn": dsn}, queues={"a": 1}).start(),
    "install": lambda dsn: Oban(dsn=dsn).install(),
    "doctor": lambda dsn: Oban(dsn=dsn).diagnose(),
    "sync": lambda dsn: asyncio.to_thread(lambda: SyncOban(dsn=dsn).enqueue(Job("W"))),
}


@pytest.mark.parametrize("by", ["the DSN", "the environment", "a service"])
@pytest.mark.parametrize("demand", DEMANDS)
async def test_a_demand_that_can_not_be_met_is_refused_before_anything_is_sent(
    encrypted, certificates, monkeypatch, tmp_path, demand, by
):
    options = {"sslmode": "verify-full", "sslrootcert": certificates.root}
    match by:
        case "the DSN":
            options[demand] = DEMANDS[demand]
        case "the environment":
            monkeypatch.setenv(f"PG{demand.replace('_', '').upper()}", DEMANDS[demand])
        case _:
            (tmp_path / ".pg_service.conf").write_text(f"[shop]\n{demand}={DEMANDS[demand]}\n")
            options["service"] = "shop"
    for opening in OPENINGS.values():
        with pytest.raises(InvalidSetting, match=f"^{demand}: expected .*leave it out|^{demand}: .* by sslcrl") as told:
            await opening(encrypted.dsn(**options))
        assert ("(from environment PG" in str(told.value)) == (by == "the environment")
    assert encrypted.ways == []


async def test_commands_refuse_it_too(encrypted, certificates, tmp_path):
    dsn = encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root)
    for command in (["jobs", "list"], ["doctor"], ["start", "--queues", "default:1"], ["status"]):
        for told in (
            await Commands(f"{dsn}&channel_binding=require", tmp_path).process(*command),
            await Commands(dsn, tmp_path).process(*command, PGCHANNELBINDING="require"),
        ):
            assert told.returncode == 1
            assert "error: channel_binding: expected disable or prefer, got 'require'" in told.stderr
            assert "tell-nobody" not in told.stdout + told.stderr
    assert encrypted.ways == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"sslmode": "verify-full", "sslrootcert": "/nowhere/root.crt"},
            "sslrootcert: expected a file that can be read",
        ),
        ({"sslmode": "verify-ca"}, "sslrootcert: expected a file that can be read"),
        ({"sslmode": "verify-full", "sslrootcert": "system"}, "sslrootcert: .* such as /etc/ssl/certs"),
        ({"sslmode": "verify-full", "sslrootcert": __file__}, "sslrootcert: expected a file of certificates"),
        ({"sslmode": "require", "sslcrl": "/nowhere/list.crl"}, "sslcrl: expected a file that can be read"),
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
    lifeline = {"rescue_after": 600}  # so the thread has no reason of its own
    async with node(dsn, registry, cron=[{"expression": "@reboot", "worker": "W"}], lifeline=lifeline) as oban:
        await connected(oban)
        await ends.of(await oban.enqueue(cls.new()))
        beaten = oban._runtime.heartbeat
        # What the thread does for a loop that is blocked.
        await asyncio.to_thread(asyncio.run, beaten._relieve(blame=True))
        assert beaten.relieved == 1
    assert len(encrypted.ways) >= 4
    assert set(encrypted.ways) == {"tls"}


async def test_a_listener_s_own_dsn_has_its_own_options(encrypted, plain, certificates, registry):
    straight = encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root)
    async with node(plain.dsn(sslmode="disable"), registry, notifier={"dsn": straight}) as oban:
        await connected(oban)
    assert (set(plain.ways), encrypted.ways) == ({"plain"}, ["tls"])


async def test_a_client_that_blocks_encrypts_its_own(encrypted, certificates):
    def enqueue(root):
        with SyncOban(dsn=encrypted.dsn(sslmode="verify-full", sslrootcert=root)) as client:
            return client.enqueue(Job("W")).id

    assert await asyncio.to_thread(enqueue, certificates.root)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(enqueue, certificates.other_root)
    assert set(encrypted.ways) == {"tls"}


async def test_children_encrypt_theirs(encrypted, certificates, conn, begin, app):
    await begin(dsn=encrypted.dsn(sslmode="verify-full", sslrootcert=certificates.root))
    job_id = await conn.fetchval("insert into oban_jobs (worker) values ('Processes.Parent') returning id")

    async def ended():
        return await conn.fetchval("select state = 'completed' from oban_jobs where id = $1", job_id)

    await until(ended, patience=60)
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
