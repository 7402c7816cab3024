"""Patterns of ECMA-262 and texts for them, made by hypothesis."""

from hypothesis import strategies as st

_ATOMS = st.sampled_from([
    "a", "b", "é", "😀", "-", "/", " ", ".", "_", "]", "}", "{", "[]", "[^]", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S",
    r"\n", r"\t", r"\v", r"\0", r"\-", r"\.", r"\$", r"\{", r"\x41", r"\cA", r"\u00e9", r"\u{1f600}", r"\ud83d\ude00",
])  # fmt: skip
_EDGES = st.sampled_from(["^", "$", "\\b", "\\B"])
_CLASS_PARTS = st.sampled_from([
    "a", "b-d", "0-9", "é-ü", "😀", "[", "^", "&&", "||", "--/", "~~", ":", "[:alpha:", r"\d", r"\W", r"\s", r"\S",
    r"\n", r"\]", r"\\", r"\b", r"\-", r"\ud83d\ude00", r"\ufeff", r"\u2028",
])  # fmt: skip
_CLASSES = st.builds(
    lambda negated, parts, dash: f"[{negated}{''.join(parts)}{dash}]",
    st.sampled_from(["", "^"]),
    st.lists(_CLASS_PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "-"]),
)
_TIMES = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0}", "{1,}", "{0,2}", "{1,3}?"])
_OPENINGS = st.sampled_from(["(", "(?:", "(?<name>"])
_LOOKS = st.sampled_from(["(?=", "(?!", "(?<=", "(?<!"])


def _wider(inner):
    quantified = st.builds(lambda opening, part, times: f"{opening}{part}){times}", _OPENINGS, inner, _TIMES)
    looks = st.builds(lambda opening, part: f"{opening}{part})", _LOOKS, inner)
    choice = st.builds("|".join, st.lists(inner, min_size=2, max_size=3))
    sequence = st.builds("".join, st.lists(inner, max_size=4))
    return quantified | looks | choice | sequence


patterns = st.recursive(st.builds(str.__add__, _ATOMS | _CLASSES, _TIMES) | _EDGES, _wider, max_leaves=8)
texts = st.text(
    st.sampled_from("abcdA01_-/.:$ \n\r\t\v\x00\x01\x1c\x85é\u00a0\u2003\u2028\ufeff😀٣&|~[]\\^{}"), max_size=8
)
