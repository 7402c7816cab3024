"""What will never work, as against a server that is not there yet: options of a DSN that are wrong."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bridge.engine.dsn import STRICT, find_option
from bridge.errors import InvalidSetting

_SYSTEM: Final = "name the file of the system's authorities, such as /etc/ssl/certs/ca-certificates.crt"


@contextmanager
def wrong_settings(dsn: str) -> Iterator[None]:
    """Tell what is wrong with a DSN by which a connection is being opened, without showing it.

    Raises:
        InvalidSetting: In place of the driver's error, whose text may quote the DSN.
    """
    try:
        yield
    except InvalidSetting:
        raise
    except OSError as error:
        _check_files(dsn)
        if isinstance(error, ssl.SSLError):
            _check_contents(dsn)
        if "rejected SSL upgrade" in str(error):
            mend = "switch TLS on in the server, or choose a mode that does without"
            mode = find_option(dsn, "sslmode")
            raise InvalidSetting("sslmode", mode, "a mode for a server without TLS", mend) from error
        raise
    except ValueError as error:  # many kinds, whose texts quote the DSN with its password
        _check_files(dsn)
        if str(error).startswith("`ssl"):  # a name and the values that it may have
            raise InvalidSetting("dsn", "another value", str(error)) from None
        mend = "odd characters are written as %xx, and an option as name=value"
        expected = "postgresql://user:password@host:port/database"
        raise InvalidSetting("dsn", "another text", expected, mend) from None


def _check_files(dsn: str) -> None:
    """Refuse files that asyncpg needs for the DSN's `sslmode` and that can't be read."""
    mode = find_option(dsn, "sslmode") or "prefer"
    verified = ("sslrootcert", "sslcrl") if mode in STRICT else ()
    for option in (*verified, *(() if mode == "disable" else ("sslcert", "sslkey"))):
        path = find_option(dsn, option)
        if path is None and option == "sslrootcert" and mode != "require":
            path = str(Path("~/.postgresql/root.crt").expanduser())
        if path and not (Path(path).is_file() and os.access(path, os.R_OK)):
            mend = _SYSTEM if path == "system" else "correct its path, or choose another sslmode"
            raise InvalidSetting(option, path, "a file that can be read", mend)


def _check_contents(dsn: str) -> None:
    """Refuse files that can be read, and hold something else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for option in ("sslrootcert", "sslcrl"):
        if path := find_option(dsn, option):
            _try(option, path, "a file of certificates", context.load_verify_locations, path)
    if path := find_option(dsn, "sslcert"):
        key, password = find_option(dsn, "sslkey"), find_option(dsn, "sslpassword") or ""
        expected = "a certificate whose key sslkey names and sslpassword opens"
        _try("sslcert", path, expected, context.load_cert_chain, path, key, lambda: password)


def _try(option: str, path: str, expected: str, load: Callable[..., Any], *arguments: Any) -> None:
    try:
        load(*arguments)
    except ssl.SSLError:
        raise InvalidSetting(option, path, expected, "look into the file, or name another") from None
