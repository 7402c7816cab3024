"""Every exception that Bridge raises.

BridgeError
├── ValidationError (ValueError)   refused before anything was written
│   ├── InvalidJob                 a column of a job, or a change to one
│   ├── InvalidWorker              a worker's definition
│   ├── InvalidFilter              a filter of `jobs(...)` and its kin
│   ├── InvalidSignal              a control message for queues
│   ├── InvalidPayload             a notification
│   ├── InvalidSetting             a configuration value
│   ├── EncodeError                a value that JSON, jsonb or the BEAM can't hold
│   ├── InvalidContract            a contract file, or a schema in it, that both languages can't keep
│   └── ContractError              args or a result that break their contract, with every violation
├── DecodeError (ValueError)       bytes that are not what they should be
├── JobError                       why one execution of a job failed
│   ├── JobTimeout (TimeoutError)
│   ├── JobCancelled
│   ├── ProcessEnded               with the process that ran it
│   └── UnknownWorker
├── InstanceNotFound (LookupError)
├── JobNotFound (LookupError)      no such job, or another transaction holds it
├── NotRunning (RuntimeError)      the instance was not started, or was stopped
├── SchemaError                    the database lacks Oban's tables, or has a version we don't know
├── NodeError                      an Elixir node of the interop harness
│   ├── NodeUnavailable            what runs one is missing on this machine
│   ├── NodeFailed                 it could not be built or started, or it ended
│   └── RemoteError                an expression raised there
└── ServerError                    the embedded PostgreSQL
    ├── BinariesMissing            no programs, or none that run here
    ├── DataFolderError            the data folder is not ours, or can't be written or reached
    ├── DiskFull                   no space is left for the data
    ├── PortTaken                  another program listens on the port
    └── VersionMismatch            the data are of another major version than the programs
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any, NamedTuple

_SHOWN = 80
_VIOLATIONS_SHOWN = 20


class Violation(NamedTuple):
    """One way in which a value breaks its contract.

    `path` is a JSON Pointer (RFC 6901) into the value, "" for the whole; `rule` the keyword of JSON Schema that it
    breaks, or `undeclared` for a field that the contract doesn't know; `message` says what was expected and what came.
    """

    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or '(root)'}: {self.message}"


class _Repr(reprlib.Repr):
    """Writes out no more of a nested or huge value than a message shows."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple = 4, 8, 12, 12
        self.maxstring = self.maxlong = 12 * _SHOWN

    def repr_instance(self, x: object, level: int) -> str:
        return repr(x)

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write integers of over 4,300 digits, which must not hide the error that is being told.
        return f"<int of {x.bit_length()} bits>" if x.bit_length() > _SHOWN * 40 else super().repr_int(x, level)


def shorten(value: object, limit: int = _SHOWN) -> str:
    """Return `repr(value)`, cut to `limit` characters, for use in a message."""
    try:
        text = repr(value[: limit + 1]) if isinstance(value, str) else _Repr().repr(value)
    except Exception:  # a broken __repr__ must not hide the error that is being told
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def message_of(error: BaseException) -> str:
    """Return an exception's text, whatever its `__str__` does, fit for a log or a row."""
    try:
        return printable(str(error))
    except Exception as broken:  # an exception without a text is told of all the same
        return f"<no text: __str__ raised {type(broken).__name__}>"


def printable(text: str) -> str:
    r"""Return text that JSON, jsonb and the BEAM hold: NUL and lone surrogates are shown as `\x00` and `\ud800`."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


class BridgeError(Exception):
    """The root: `except BridgeError` catches all that Bridge raises on purpose."""


class ValidationError(BridgeError, ValueError):
    """A value was refused, and nothing was written.

    Attributes:
        field: The name of what was refused, as the caller knows it (`"priority"`, `"args.items[3]"`).
        value: What came.
        expected: What would have been right.
        mend: What to do.
    """

    def __init__(self, field: str, value: Any, expected: str, mend: str = "") -> None:
        super().__init__(field, value, expected, mend)
        self.field = field
        self.value = value
        self.expected = expected
        self.mend = mend

    def __str__(self) -> str:
        message = f"{self.field}: expected {self.expected}, got {shorten(self.value)}"
        return f"{message}; {self.mend}" if self.mend else message


class InvalidJob(ValidationError):
    """A job, or a change to one, that no node could run or that would harm an Elixir node."""


class InvalidWorker(ValidationError):
    """A worker definition with an unknown option, a bad value or a name that is taken."""


class InvalidFilter(ValidationError):
    """A filter that names no column or holds a value of the wrong type."""


class InvalidSignal(ValidationError):
    """A control message that an Elixir node would crash on."""


class InvalidPayload(ValidationError):
    """A notification that is not a JSON object or is longer than PostgreSQL's limit."""


class InvalidContract(ValidationError):
    """A contract file that is no JSON Schema of the supported dialect; `field` is the file and the place in it.

    Attributes:
        others: What is wrong with the other files of the folder, where a folder was read; the text tells it, too.
    """

    others: tuple[InvalidContract, ...] = ()

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(str, self.others)])


class ContractError(ValidationError):
    """A value that breaks its contract; nothing was written, or nothing ran.

    Attributes:
        contract: The contract's tag, such as `"GenerateBadge@1"`.
        violations: Every violation, in the order of the schema.
    """

    def __init__(
        self, contract: str, violations: Sequence[Violation], mend: str = "", *, limit: int = _VIOLATIONS_SHOWN
    ) -> None:
        """Make the error of these violations; its text lists the first `limit` of them."""
        shown = "; ".join(map(str, violations[:limit]))
        more = len(violations) - limit
        super().__init__(contract, shown, "args that keep the contract", mend)
        self.args = (contract, violations, mend)
        self.contract = contract
        self.violations = tuple(violations)
        self._shown = f"{shown}; and {more} more" if more > 0 else shown

    def __str__(self) -> str:
        message = f"{self.contract}: {self._shown}"
        return f"{message}; {self.mend}" if self.mend else message


class InvalidSetting(ValidationError):
    """A configuration value, wherever it came from.

    Attributes:
        source: Where that was, as in `Setting.source`; empty where the caller passed it.
    """

    source = ""

    def __str__(self) -> str:
        return f"{super().__str__()} (from {self.source})" if self.source else super().__str__()


class EncodeError(ValidationError):
    """A value that JSON, jsonb or the BEAM can't hold; `field` is the path to it."""


class DecodeError(BridgeError, ValueError):
    """Bytes or text that are not what they should be.

    Attributes:
        reason: What is wrong, in a sentence.
        offset: Where, in bytes from the start, or None where there is no such place.
    """

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return self.reason if self.offset is None else f"{self.reason}, at byte {self.offset}"


class JobError(BridgeError):
    """Why one execution of a job failed, where the worker itself did not raise."""


class JobTimeout(JobError, TimeoutError):
    """The worker ran longer than its `timeout`."""


class JobCancelled(JobError):
    """The job was cancelled, by its worker or from outside."""


class ProcessEnded(JobError):
    """The process that ran the job ended before the job did: it crashed, or was killed."""


class UnknownWorker(JobError):
    """No worker of that name is registered in this process."""


class InstanceNotFound(BridgeError, LookupError):
    """No running instance has that name."""


class JobNotFound(BridgeError, LookupError):
    """No such job, or another transaction holds its row."""


class NotRunning(BridgeError, RuntimeError):
    """The instance was not started, or was stopped."""


class SchemaError(BridgeError):
    """The database lacks Oban's tables, or they are of a version that Bridge doesn't know."""


class NodeError(BridgeError):
    """An Elixir node of `bridge.testing.interop` did not do what was asked of it."""


class NodeUnavailable(NodeError):
    """What runs an Elixir node is missing on this machine; the message names the command that mends it."""


class NodeFailed(NodeError):
    """A node could not be built or started, or it ended; the message ends with the last lines that it wrote."""


class RemoteError(NodeError):
    """An Elixir expression raised, exited or threw on the node.

    Attributes:
        banner: What Elixir says of it, as `** (ArgumentError) …`.
        trace: Elixir's stack trace.
    """

    def __init__(self, banner: str, trace: str = "") -> None:
        super().__init__(banner, trace)
        self.banner = banner
        self.trace = trace

    def __str__(self) -> str:
        return f"{self.banner}\n{self.trace}".rstrip()


class ServerError(BridgeError):
    """The embedded PostgreSQL could not be found, started or stopped."""


class BinariesMissing(ServerError):
    """PostgreSQL's programs are not installed, or don't run on this platform."""


class DataFolderError(ServerError):
    """The server's data folder is not ours, or can't be written or reached."""


class DiskFull(ServerError):
    """No space is left on the disk that holds the server's data."""


class PortTaken(ServerError):
    """Another program listens on the TCP port that was asked for."""


class VersionMismatch(ServerError):
    """The data were made by another major version of PostgreSQL than the programs are."""
