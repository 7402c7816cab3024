"""The gate between a node and PostgreSQL: what passes, what doesn't, and who learns of it."""

import hashlib
import random
import socket
import threading
import time
from contextlib import suppress

import pytest

from bridge.errors import NodeError
from bridge.testing.interop import Gate, ferry

from .far import PATIENCE, SILENCE, is_reset, is_turned_away, read, refused

# What passes


def test_bytes_pass_both_ways(connect):
    near, end = connect()
    near.sendall(b"question")
    assert read(end, 8) == b"question"
    end.sendall(b"answer")
    assert read(near, 6) == b"answer"


def test_an_end_passes_after_the_bytes_and_the_other_direction_goes_on(connect):
    near, end = connect()
    near.sendall(b"last")
    near.shutdown(socket.SHUT_WR)

    assert read(end, 5) == b"last"
    end.sendall(b"more")
    assert read(near, 4) == b"more"
    end.close()
    assert near.recv(1) == b""


def test_a_reset_passes_as_a_reset(connect):
    near, end = connect()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end.close()
    assert is_reset(near)


def test_much_passes_both_ways_at_once_and_unchanged(connect):
    near, end = connect()
    data = random.Random(1).randbytes(1 << 20)
    sums = {}

    def write(to):
        for _ in range(20):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)

    def digest(name, source):
        seen = hashlib.sha256()
        while got := source.recv(1 << 16):
            seen.update(got)
        sums[name] = seen.hexdigest()

    tasks = [(write, (near,)), (write, (end,)), (digest, ("far", end)), (digest, ("near", near))]
    threads = [threading.Thread(target=task, args=args) for task, args in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    expected = hashlib.sha256(data * 20).hexdigest()
    assert sums == {"far": expected, "near": expected}


def test_a_reader_that_does_not_read_holds_up_the_writer(connect):
    near, _end = connect()
    near.setblocking(False)
    sent, block = 0, bytes(1 << 20)
    last = time.monotonic()
    while time.monotonic() - last < SILENCE and sent < 1 << 28:
        with suppress(BlockingIOError):
            sent += near.send(block)
            last = time.monotonic()
    assert sent < 1 << 26


def test_one_connection_that_stalls_does_not_hold_up_another(connect):
    stalled, _ = connect()
    stalled.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            stalled.send(bytes(1 << 20))
    near, end = connect()
    near.sendall(b"x")
    assert read(end, 1) == b"x"


def test_connections_are_counted(gate, connect):
    assert (gate.taken, gate.standing) == (0, 0)
    connect()
    connect()
    assert (gate.taken, gate.standing) == (2, 2)
    gate.drop()
    assert (gate.taken, gate.standing) == (2, 0)


def test_a_connection_counts_while_it_is_joined_to_the_servers(gate, connect, monkeypatch):
    counts = []

    class Counted(ferry._Link):
        def __init__(self, near, far):
            counts.append(gate.standing)
            super().__init__(near, far)

    monkeypatch.setattr(ferry, "_Link", Counted)
    near, end = connect()
    near.sendall(b"x")
    assert read(end, 1) == b"x"
    assert counts == [1]


# Cut and mended


def test_a_cut_resets_what_stands_at_both_ends_and_refuses_what_comes(gate, connect):
    near, end = connect()
    gate.cut()
    assert is_reset(near)
    assert is_reset(end)
    assert refused(gate)


def test_a_cut_gate_keeps_its_port_and_takes_connections_there_once_mended(gate, connect):
    port = gate.port
    gate.cut()
    gate.cut()
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))
    gate.mend()
    gate.mend()
    near, end = connect()
    near.sendall(b"back")
    assert (gate.port, read(end, 4)) == (port, b"back")


def test_a_drop_resets_what_stands_and_takes_what_comes(gate, connect):
    near, end = connect()
    gate.drop()
    assert is_reset(near)
    assert is_reset(end)
    near, end = connect()
    near.sendall(b"x")
    assert read(end, 1) == b"x"


# The server


def test_without_a_server_connections_are_ended_and_the_log_tells_why(gate, far, caplog):
    far.refuse()
    assert is_turned_away(gate, far)
    assert f"could not reach PostgreSQL, and ended a connection: ('127.0.0.1', {far.port}): Connection" in caplog.text
    assert gate.standing == 0


def test_a_server_that_comes_back_is_reached_again(gate, far):
    far.refuse()
    assert is_turned_away(gate, far)
    far.listener.listen()
    far.keep(socket.create_connection(("127.0.0.1", gate.port), PATIENCE)).sendall(b"x")
    assert read(far.accept(), 1) == b"x"


# Life


def test_a_closed_gate_leaves_no_thread_no_port_and_no_connection(far):
    gate = Gate(far.dsn)
    gate.open()
    port = gate.port
    near = far.keep(socket.create_connection(("127.0.0.1", port), PATIENCE))
    far.accept()
    gate.close()
    gate.close()

    assert is_reset(near)
    assert not [thread for thread in threading.enumerate() if thread.name == "bridge-gate"]
    socket.create_server(("127.0.0.1", port)).close()


def test_a_gate_that_is_not_open_says_so(far):
    gate = Gate(far.dsn)
    for ask in (gate.cut, gate.mend, gate.freeze, gate.thaw, gate.drop, gate.url, lambda: gate.delay(1)):
        with pytest.raises(NodeError, match="not open"):
            ask()
    with gate, pytest.raises(NodeError, match="open already"):
        gate.open()


def test_an_address_of_another_machine_is_refused(far):
    with pytest.raises(NodeError, match=r"can't listen on 203\.0\.113\.1: .*name an address of this machine"):
        Gate(far.dsn, bind="203.0.113.1").open()


def test_the_gate_obeys_several_threads_at_once(gate, connect, far):
    def meddle(seed):
        chance = random.Random(seed)
        for _ in range(100):
            chance.choice([gate.cut, gate.mend, gate.freeze, gate.thaw, gate.drop, lambda: gate.delay(0.001)])()
            with suppress(OSError), socket.create_connection(("127.0.0.1", gate.port), 1) as near:
                near.sendall(b"x" * 1000)

    threads = [threading.Thread(target=meddle, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    gate.cut()
    gate.thaw()
    gate.delay(0)
    gate.mend()
    assert gate.standing == 0
    for connecting in [thread for thread in threading.enumerate() if thread.name == "bridge-gate-connect"]:
        connecting.join(PATIENCE)
    with suppress(TimeoutError):  # what the threads left
        while True:
            far.accept(SILENCE)

    near, end = connect()
    near.sendall(b"calm")
    assert read(end, 4) == b"calm"
