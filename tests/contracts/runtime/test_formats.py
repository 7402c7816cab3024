"""What each format takes and refuses."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.contracts.runtime.formats import BASE64, NAMES, PATTERNS, matcher

TAKEN = {
    "date-time": ["2026-05-01T09:30:00Z", "2026-05-01t09:30:00.5z", "2026-05-01T09:30:00.123456-23:59",
                  "2024-02-29T00:00:00+05:30",
                  "0001-01-01T00:00:00Z", "0001-01-01T01:00:00+01:00", "9999-12-31T23:59:59.999999Z",
                  "9999-12-31T22:59:59-01:00"],
    "date": ["2026-12-31", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"],
    "time": ["00:00:00Z", "23:59:59.123456789+23:59", "23:59:60Z", "00:29:60+00:30", "15:59:60-08:00"],
    "duration": ["P1W", "P1Y2M3DT4H5M6S", "PT5M6S", "P3M4D", "P0D", "P1DT1S"],
    "uuid": ["018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2b", "018F3A52-7C3E-7D8A-9B1E-2F6A5C4D3E2B",
             "00000000-0000-0000-0000-000000000000"],
    "email": ["a@b", "first.last+tag@ex-ample.com", '"a b"@c.d', "x@[127.0.0.1]", "x@[IPv6:::1]"],
    "uri": ["http://a.b:80/c?d=e#f", "urn:x:y", "mailto:a@b", "http://[::1]/", "a:", "file:///etc", "http://[v1.a:b]/"],
    "uri-reference": ["", "a/b", "//a", "?q", "#f", "../x:y", "http://a"],
    "ipv4": ["0.0.0.0", "255.255.255.255", "1.20.200.3"],
    "ipv6": ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::ffff:1.2.3.4", "1::8",
             "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"],
    "json-pointer": ["", "/", "/a/0/~0~1", "/é", "//"],
    "relative-json-pointer": ["0", "12/a", "1#", "0/"],
    "decimal": ["0", "-0", "12.50", "-0.001", "123456789012345678901234567890.1"],
    "bigint": ["0", "-0", "-12", "123456789012345678901234567890"],
}  # fmt: skip

REFUSED = {
    "date-time": ["2026-05-01T09:30:00", "2026-05-01 09:30:00Z", "2026-05-01T24:00:00Z", "2026-05-01T09:60:00Z",
                  "2026-12-31T23:59:60Z",
                  "2026-05-01T09:30:00.Z", "2026-05-01T09:30:00.1234567Z", "2026-02-29T00:00:00Z",
                  "2100-02-29T00:00:00Z",
                  "2026-05-01T09:30:00+24:00", "2026-05-01T09:30:00+0530", "2026-05-01T09:30Z", "0000-01-01T00:00:00Z",
                  "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:00-00:01", "2026-05-01T09:30:00Z\n",
                  "\uff12026-05-01T09:30:00Z"],
    "date": ["2026-13-01", "2026-00-01", "2026-01-00", "2026-04-31", "2026-1-1", "20260101", "0000-01-01",
             "2026-01-01\n", "٢026-01-01"],
    "time": ["09:30:00", "24:00:00Z", "09:30:60Z", "23:59:60+01:00", "23:59:61Z", "9:30:00Z", "09:30Z", "09:30:00,5Z"],
    "duration": ["", "P", "PT", "P1", "P1Y2D", "PT1H2S", "P1W1D", "P1.5D", "-P1D", "p1d", "P1DT", "P1D\n", "P٣D"],
    "uuid": ["018f3a527c3e7d8a9b1e2f6a5c4d3e2b", "{018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2b}",
             "018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2", "018g3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2b"],
    "email": ["", "a", "@b", "a@", ".a@b", "a.@b", "a..b@c", "a b@c", "a@-b", "a@b-", "a@b..c", "a@[300.0.0.1]",
              "é@b.c", "a@b\n"],
    "uri": ["", "a", "/a", "1a:b", "http://a b", "http://a/%zz", "http://[::g]/", "http://a:b/", "http://é.de",
            "http://a\n", "a:[b"],
    "uri-reference": ["a b", "\\", "1:b", "%", "é", "//[", "a\n"],
    "ipv4": ["1.2.3", "256.1.1.1", "01.1.1.1", "1.1.1.1.", "1.1.1.1\n", "\u0661.1.1.1"],
    "ipv6": ["", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::1%eth0", "::01.2.3.4",
             "1:2:3:4:5:6:7:1.2.3.4", "g::"],
    "json-pointer": ["a", "/~2", "/~"],
    "relative-json-pointer": ["", "/a", "01", "-1", "0##", "0#/a", "+0"],
    "decimal": ["", "-", "01", "1.", ".5", "+1", "1e5", "1,5", "1_0", "\u0661", "1\n", "NaN"],
    "bigint": ["", "-", "01", "+1", "1.0", "1e5", "1_0", "1\n"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in TAKEN.items() for text in texts])
def test_taken(name, text):
    assert matcher(name)(text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_refused(name, text):
    assert not matcher(name)(text)


def test_every_format_has_a_name_for_messages_and_is_tested():
    assert PATTERNS.keys() == NAMES.keys() == TAKEN.keys() == REFUSED.keys()


@pytest.mark.parametrize("name", [*PATTERNS, "base64"])
def test_the_expressions_are_ascii_and_free_of_what_pcre_reads_otherwise(name):
    source = BASE64 if name == "base64" else PATTERNS[name]
    assert source.isascii()
    bare = re.sub(r"\[(?:\\.|[^\]\\])*\]", "", source)
    # Escapes of letters and digits, named groups and flags, and anchors.
    assert not re.search(r"\\[A-Za-z0-9]|\(\?[^:!]|[\^$]", bare)


@pytest.mark.parametrize("name", PATTERNS)
def test_long_text_is_refused_in_little_time(name):
    for piece in ("a", "1", "a.", "1:", "/a", "%41", "a@", "9Y", "-"):
        assert isinstance(matcher(name)(piece * 20_000 + "\x00"), bool)


@settings(deadline=None)
@given(st.sampled_from(sorted(PATTERNS)), st.text(max_size=40))
def test_any_text_has_an_answer(name, text):
    assert matcher(name)(text) in (True, False)
