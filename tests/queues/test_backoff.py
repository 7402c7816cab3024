"""The delays between attempts to reach the database."""

from bridge.queues.backoff import RetryDelay


def test_delays_double_to_an_end_with_a_quarter_of_jitter():
    delay = RetryDelay(first=0.1, longest=3)
    expected = [0.1, 0.2, 0.4, 0.8, 1.6, 3, 3]
    for whole in expected:
        assert 0.75 * whole <= delay.next() <= 1.25 * whole
    assert delay.failures == len(expected)


def test_jitter_keeps_nodes_apart():
    assert len({RetryDelay().next() for _ in range(20)}) > 1


def test_a_success_begins_anew():
    delay = RetryDelay(first=1, longest=60)
    for _ in range(5_000):
        delay.next()
    delay.reset()
    assert delay.failures == 0
    assert delay.next() <= 1.25
