"""The generated attendees: the same ones every time, varied, and drawable on a machine without fonts."""

from collections import Counter

from python_demo import fonts
from python_demo.attendees import attendees
from python_demo.badge import THEMES, Attendee


def test_the_same_attendees_come_every_time() -> None:
    assert list(attendees(50)) == list(attendees(200))[:50]
    assert next(attendees(1)) == {"id": 1, "name": "Ada Lovelace", "company": "Analytical Engines", "type": "speaker"}


def test_any_count_is_served() -> None:
    assert list(attendees(0)) == []
    assert [args["id"] for args in attendees(1000)] == list(range(1, 1001))


def test_a_few_badges_already_show_every_type() -> None:
    assert {args["type"] for args in attendees(4)} == set(THEMES)


def test_names_hardly_repeat() -> None:
    names = Counter(args["name"] for args in attendees(200))
    assert len(names) > 150
    assert max(len(name) for name in names) > 35


def test_every_generated_text_is_in_the_typeface_that_comes_along() -> None:
    for attendee in map(Attendee.from_args, attendees(500)):
        assert not fonts.missing(attendee.name + attendee.company + attendee.theme.label)
