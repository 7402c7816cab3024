"""A gate that delivers nothing until it is thawed, or everything later."""

import socket
import time

import pytest

from bridge.errors import NodeError

from .far import PATIENCE, SILENCE, is_reset, read, silent, under_way

# Frozen


def test_a_frozen_gate_delivers_nothing_until_it_is_thawed(gate, connect):
    near, end = connect()
    gate.freeze()
    near.sendall(b"question")
    end.sendall(b"answer")
    assert silent(end)
    assert silent(near)
    gate.thaw()
    assert (read(end, 8), read(near, 6)) == (b"question", b"answer")


def test_nobody_learns_through_a_frozen_gate_that_the_other_has_gone(gate, connect):
    near, end = connect()
    gate.freeze()
    near.close()
    assert silent(end)
    gate.thaw()
    assert end.recv(1) == b""


def test_connections_to_a_frozen_gate_are_made_and_not_answered(gate, far):
    gate.freeze()
    near = far.keep(socket.create_connection(("127.0.0.1", gate.port), PATIENCE))
    near.sendall(b"hello")
    with pytest.raises(TimeoutError):
        far.accept(SILENCE)
    gate.thaw()
    assert read(far.accept(), 5) == b"hello"


def test_a_frozen_gate_can_be_cut_and_stays_frozen_when_mended(gate, connect, far):
    near, _ = connect()
    gate.freeze()
    gate.cut()
    assert is_reset(near)
    gate.mend()
    far.keep(socket.create_connection(("127.0.0.1", gate.port), PATIENCE))
    with pytest.raises(TimeoutError):
        far.accept(SILENCE)


def test_what_is_under_way_when_the_gate_is_frozen_stays_there(gate, connect, clock):
    near, end = connect()
    gate.delay(600)
    near.sendall(b"question")
    under_way(gate)
    gate.freeze()
    clock.ahead = 600
    gate.delay(0)
    assert silent(end)
    gate.thaw()
    assert read(end, 8) == b"question"


# Late


def test_a_delayed_answer_takes_the_delay_twice(gate, connect):
    near, end = connect()
    gate.delay(0.1)
    began = time.monotonic()
    near.sendall(b"question")
    read(end, 8)
    asked = time.monotonic() - began
    end.sendall(b"answer")
    read(near, 6)
    answered = time.monotonic() - began
    assert asked >= 0.1
    assert answered >= 0.2


def test_a_delay_that_ends_puts_nothing_out_of_order(gate, connect, clock):
    near, end = connect()
    gate.delay(600)
    near.sendall(b"first ")
    under_way(gate)
    gate.delay(0)
    near.sendall(b"second")
    near.shutdown(socket.SHUT_WR)
    assert silent(end)
    clock.ahead = 600
    gate.delay(0)  # which has it look at the clock
    assert read(end, 13) == b"first second"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_delay_that_can_not_be_is_refused(gate, seconds):
    with pytest.raises(NodeError, match="expected seconds, 0 or more"):
        gate.delay(seconds)
