"""Attendees of a conference that never took place: always the same ones, as many as are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .contracts import GenerateBadge
from .contracts.generate_badge import AttendeeType

# Every letter below is in the typeface that the badges bring along, so a machine without fonts draws them all.
_GIVEN = (
    "Ada", "Joaquín", "Zoë", "Thị Hương", "Søren", "Chiamaka", "Łukasz", "Mei-Ling", "Jiří", "Priya",
    "Åsa", "Fatoumata", "Kwame", "İpek", "Tomás", "Aroha", "Youssef", "Noor", "Wilhelmina", "Bo",
)  # fmt: skip
_FAMILY = (
    "Lovelace", "Núñez de la Peña", "Nguyễn", "Ó Súilleabháin", "Okonkwo-Adeyemi", "Wójcik", "Chen", "Dvořák", "Rao",
    "Lindqvist", "Müller", "Mensah", "Şahin", "Ferreira", "Te Rangi", "Haddad", "van den Berg", "Li", "D'Angelo",
    "Kowalczyk", "Schwarzenegger-Featherstonehaugh", "O'Neill", "Novák",
)  # fmt: skip
# Names of other scripts, which don't go with the ones above.
_WHOLE = ("Андрей Петров", "Ελένη Παπαδοπούλου", "Світлана Шевченко", "Νίκος Γεωργίου")
_COMPANY = (
    "Analytical Engines", "Harbour & Sons", "Tidewater Logistics", "Nordlys Data AS", "Puente Labs",
    "<Angle/> Software", "Kraków Robotics", "The Pontoon Collective", "Mangrove Health", "Cantilever",
    "Société Générale des Ponts Suspendus",
)  # fmt: skip
# Out of twenty: two organizers, three sponsors, four speakers, eleven attendees; the first four show all types.
_TYPE = (
    "speaker", "attendee", "sponsor", "organizer", "attendee", "attendee", "speaker", "attendee",
    "attendee", "sponsor", "attendee", "speaker", "attendee", "attendee", "organizer", "attendee",
    "sponsor", "attendee", "speaker", "attendee",
)  # fmt: skip


def badges(count: int) -> Iterator[GenerateBadge]:
    """Yield the args of `count` badge jobs; the n-th is the same in every run."""
    for index in range(count):
        yield GenerateBadge(
            id=index + 1,
            name=_name(index),
            company=_COMPANY[index % len(_COMPANY)],
            type=AttendeeType(_TYPE[index % len(_TYPE)]),
        )


def attendees(count: int) -> Iterator[dict[str, Any]]:
    """Yield the same args as the table holds them: id, name, company and type."""
    return (badge.dump() for badge in badges(count))


def _name(index: int) -> str:
    turn, place = divmod(index, 9)
    if place == 8:
        return _WHOLE[turn % len(_WHOLE)]
    # 20 and 23 share no factor, so names repeat only after 460.
    return f"{_GIVEN[index % len(_GIVEN)]} {_FAMILY[index % len(_FAMILY)]}"
