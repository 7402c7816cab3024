"""Names and texts that mean something to somebody on their way."""

import unicodedata

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: Pieces that mean something to somebody on the way.
PIECES = (
    "'", '"', "''", "\\", "\\'", "$$", "$1", "%s", "%(x)s", "%", "{}", "{prefix}", "{columns}", "{0}", ";", "--",
    "/*", "*/",
    "\n", "\r", "\r\n", "\t", "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\x7f", "\x08", "\u2028", "\u2029", "\u202e",
    "\ufeff", "\u200f",
    "null", '{"a": 1}', "[red]", "NaN", "e\u0301", "\U0001f600", "\U000e0041", "drop table oban_jobs", "a", " ",
    "=", ":", "*",
)  # fmt: skip
NASTY = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=100)
TEXTS = st.one_of(NASTY, ANY)
NAMES = TEXTS.filter(lambda text: len(text) <= 127)
PREFIXES = TEXTS.filter(lambda text: len(text.encode()) <= 40 and not text.startswith("pg_"))

few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HOSTILE = "q'\"\\$$%s{}\n\x1b[31m\u202e"


def unsafe(text, keep=""):
    """What a terminal would obey, or what begins another line."""
    found = {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    return found - {"\u200c", "\u200d"} - set(keep)
