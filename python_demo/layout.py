"""Where everything stands on a badge of 4 by 6 inches, and how large its texts are, for both renderers."""

from __future__ import annotations

from dataclasses import dataclass

from .badge import Attendee
from .fonts import BOLD, MEDIUM
from .lettering import Box, Lettering, fit

# Millimetres; badge.css has the same numbers.
WIDTH, HEIGHT = 101.6, 152.4
MARGIN = 9.0
HEADER = 54.0
BAND = 24.0
QR_SIDE = 21.0
# Between the header and the QR code: the name and, below it, the company.
MIDDLE_TOP, MIDDLE_HEIGHT = 58.0, 43.0
GAP = 2.6

_NAME = Box(WIDTH - 2 * MARGIN, 30.0, largest=46, whole=17, smallest=10)
_COMPANY = Box(WIDTH - 2 * MARGIN, 10.4, largest=15, whole=9, smallest=8)
_TYPE = Box(WIDTH - 2 * MARGIN, 16.0, largest=30, whole=16, smallest=10)


@dataclass(frozen=True, slots=True)
class Layout:
    """The texts of one badge, broken into lines, and how far from the top each begins, in millimetres."""

    attendee: Attendee
    name: Lettering
    company: Lettering
    type: Lettering
    name_top: float
    company_top: float
    type_top: float


def lay_out(attendee: Attendee) -> Layout:
    """Fit an attendee's texts into the badge: each stands in the middle of its room."""
    name, company = fit(attendee.name, BOLD, _NAME), fit(attendee.company, MEDIUM, _COMPANY)
    below = GAP + company.height if company.lines else 0.0
    label = fit(attendee.theme.label, BOLD, _TYPE)
    name_top = MIDDLE_TOP + (MIDDLE_HEIGHT - name.height - below) / 2
    return Layout(
        attendee=attendee,
        name=name,
        company=company,
        type=label,
        name_top=name_top,
        company_top=name_top + name.height + GAP,
        type_top=HEIGHT - BAND / 2 - label.height / 2,
    )
