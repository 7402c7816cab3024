"""A DSN's options mean what they mean to libpq: what says nothing here is left out, and what can't be had refused."""

import os
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from bridge.engine.connections import connect, create_pool
from bridge.engine.dsn import read_dsn
from bridge.errors import InvalidSetting

NOWHERE = "postgresql://ada:tell-nobody@127.0.0.1:1/db"

INERT = [
    "keepalives=1", "keepalives_idle=30", "keepalives_interval=10", "keepalives_count=3", "tcp_user_timeout=1000",
    "channel_binding=prefer", "channel_binding=disable", "channel_binding=", "gssencmode=prefer", "gssencmode=disable",
    "sslcertmode=allow", "sslcertmode=disable", "sslcompression=0", "sslcompression=1", "sslsni=1",
    "sslkeylogfile=/tmp/keys", "client_encoding=auto", "client_encoding=LATIN1", "load_balance_hosts=disable",
    "gssdelegation=0", "replication=false", "min_protocol_version=3.0", "max_protocol_version=latest", "requiressl=0",
    "krbsrvname=postgres", "gsslib=gssapi", "sslnegotiation=postgres", "require_auth=", "connect_timeout=10",
    "target_session_attrs=any", "channel%5Fbinding=prefer",
]  # fmt: skip

REFUSED = [
    "channel_binding=require", "channel_binding=Require", "channel_binding=requir", "channel%5Fbinding=require",
    "channel_binding=prefer&channel_binding=require", "require_auth=scram-sha-256", "require_auth=!password",
    "require_auth=none", "gssencmode=require", "sslcertmode=require", "sslcrldir=/etc/crl", "sslsni=0",
    "requirepeer=postgres", "hostaddr=127.0.0.1", "load_balance_hosts=random", "gssdelegation=1",
    "replication=database", "min_protocol_version=3.2", "servicefile=/etc/services", "ssl=1", "ssl=false",
    "requiressl=yes", "scram_client_key=tell-nobody", "scram_server_key=tell-nobody", "oauth_issuer=https://a",
    "oauth_client_id=a", "oauth_client_secret=tell-nobody", "oauth_scope=a",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def with_options(dsn, options):
    return f"{dsn}{'&' if '?' in dsn else '?'}{options}"


@pytest.mark.parametrize("option", INERT)
async def test_what_asks_for_nothing_here_does_not_reach_the_server(database, option):
    conn = await connect(with_options(database, f"{option}&application_name=shop"))
    try:
        assert await conn.fetchval("select current_setting('application_name')") == "shop"
        assert await conn.fetchval("select '日本'::text") == "日本"
    finally:
        await conn.close()


async def test_that_all_at_once(database):
    options = "&".join(option for option in INERT if not option.endswith("="))
    async with await create_pool(with_options(database, options)) as pool:
        assert await pool.fetchval("select current_setting('client_encoding')") == "UTF8"


@pytest.mark.parametrize("option", REFUSED)
async def test_what_can_not_be_had_is_refused_before_anything_connects(option):
    name = option.replace("%5F", "_").partition("=")[0]
    for opening in (connect, create_pool):
        with pytest.raises(InvalidSetting, match=f"^{name}: expected .*; .+") as told:
            await opening(with_options(NOWHERE, option))
        assert "tell-nobody" not in f"{told.value!r}{told.value}"


@pytest.mark.parametrize("variable", ["PGCHANNELBINDING", "PGGSSENCMODE", "PGSSLCERTMODE", "PGREQUIREAUTH"])
def test_what_the_environment_asks_for_counts_where_the_dsn_says_nothing(variable, monkeypatch):
    monkeypatch.setenv(variable, "require")
    with pytest.raises(InvalidSetting, match=rf"got 'require'; .* \(from environment {variable}\)$"):
        read_dsn(NOWHERE)
    monkeypatch.setenv(variable, "")
    assert read_dsn(NOWHERE) == (NOWHERE, {})


def test_what_the_dsn_says_counts_more(monkeypatch):
    monkeypatch.setenv("PGCHANNELBINDING", "require")
    assert read_dsn(f"{NOWHERE}?channel_binding=disable") == (NOWHERE, {})


def test_whoever_wants_no_certificate_shown_is_refused_where_there_is_one(monkeypatch, tmp_path):
    refused = pytest.raises(InvalidSetting, match="sslcertmode: expected allow, got 'disable'")
    dsn = f"{NOWHERE}?sslcertmode=disable"
    with refused:
        read_dsn(f"{dsn}&sslcert=/etc/client.crt")
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "postgresql.crt").touch()
    with refused:
        read_dsn(dsn)


async def test_other_options_are_settings_of_the_session(database):
    conn = await connect(with_options(database, "search_path=shop&options=-c%20statement_timeout%3D7s&a.b=c%26d%20e"))
    try:
        shown = [await conn.fetchval("select current_setting($1)", name) for name in ("search_path", "a.b")]
        assert [*shown, await conn.fetchval("show statement_timeout")] == ["shop", "c&d e", "7s"]
    finally:
        await conn.close()


async def test_what_is_no_option_at_all_is_the_server_s_to_refuse(database):
    with pytest.raises(asyncpg.UndefinedObjectError, match="shop"):
        await connect(with_options(database, "shop=1"))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("fallback_application_name=a%26b", "a&b"),
        ("fallback_application_name=a&application_name=b", "b"),
        ("application_name=b&fallback_application_name=a", "b"),
    ],
)
async def test_the_application_s_name_for_want_of_another(database, options, name):
    conn = await connect(with_options(database, options))
    try:
        assert await conn.fetchval("select current_setting('application_name')") == name
    finally:
        await conn.close()


@pytest.mark.parametrize("option", ["ssl=true", "requiressl=1"])
def test_older_names_for_tls_ask_for_it(option):
    assert read_dsn(f"{NOWHERE}?{option}") == (f"{NOWHERE}?sslmode=require", {})
    assert read_dsn(f"{NOWHERE}?{option}&sslmode=verify-full") == (f"{NOWHERE}?sslmode=verify-full", {})


def test_and_so_does_the_environment_s(monkeypatch):
    monkeypatch.setenv("PGREQUIRESSL", "1")
    assert read_dsn(NOWHERE) == (f"{NOWHERE}?sslmode=require", {})
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert read_dsn(NOWHERE) == (NOWHERE, {})


def test_the_limit_of_a_connection_may_come_from_libpqs_environment(monkeypatch):
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "7")
    assert read_dsn("postgresql:///a")[1] == {"timeout": 7}
    assert read_dsn("postgresql:///a?connect_timeout=0")[1] == {"timeout": None}
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "soon")
    with pytest.raises(InvalidSetting, match="environment PGCONNECT_TIMEOUT"):
        read_dsn("postgresql:///a")


# Services


@pytest.fixture
def services(tmp_path):
    """Writes a service `shop` into the user's file."""
    return lambda **options: (tmp_path / ".pg_service.conf").write_text(
        "\n".join(["[shop]", *(f"{name}={value}" for name, value in options.items())]) + "\n"
    )


@pytest.mark.parametrize("by", ["the DSN", "the environment"])
async def test_a_service_has_what_the_dsn_lacks(database, services, monkeypatch, by):
    parts = urlsplit(database)
    name = parts.path.removeprefix("/")
    services(dbname=name, user="nobody", connect_timeout="9")
    dsn = urlunsplit(parts._replace(path=""))
    if by == "the environment":
        monkeypatch.setenv("PGSERVICE", "shop")
    else:
        dsn += "&service=shop" if parts.query else "?service=shop"
    assert read_dsn(dsn)[1] == {"service": "shop", "timeout": 9}
    conn = await connect(dsn)
    try:
        assert await conn.fetchval("select current_database()") == name
        assert await conn.fetchval("select current_user") == parts.username
    finally:
        await conn.close()


@pytest.mark.parametrize("by", ["the DSN", "the environment"])
async def test_a_service_that_is_not_there_is_refused_as_libpq_does(services, monkeypatch, by):
    services(sslmode="verify-full")
    if by == "the environment":
        monkeypatch.setenv("PGSERVICE", "shpo")
    dsn = NOWHERE if by == "the environment" else f"{NOWHERE}?service=shpo"
    for opening in (connect, create_pool):
        with pytest.raises(InvalidSetting, match=r"service: expected a service that .*\.pg_service\.conf describes"):
            await opening(dsn)


async def test_a_service_s_tls_holds(services):
    services(sslmode="verify-full", sslrootcert="/nowhere/root.crt")
    with pytest.raises(InvalidSetting, match="sslrootcert: expected a file that can be read"):
        await connect(f"{NOWHERE}?service=shop")
