"""The badge as HTML: nothing of an attendee's texts becomes markup."""

import re
from html.parser import HTMLParser

import segno

from python_demo.artwork import qr_code
from python_demo.badge import Attendee
from python_demo.html import page
from python_demo.layout import lay_out


class Page(HTMLParser):
    """The tags, texts and directions of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.directions: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.directions += [value for name, value in attrs if name == "dir"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def html_of(**args: object) -> str:
    return page(lay_out(Attendee.from_args({"id": 1, "name": "Ada", "company": "", "type": "attendee", **args})))


def test_markup_in_a_text_stays_text() -> None:
    hostile = "<script>alert(1)</script>"
    html = html_of(name=hostile, company="""A & B "x" 'y' <img src=x>""", type="<b>")
    parsed = Page(html)
    assert "script" not in parsed.tags
    assert "img" not in parsed.tags
    assert "b" not in parsed.tags
    assert hostile in "".join(parsed.texts)
    assert "A & B \"x\" 'y' <img src=x>" in " ".join(parsed.texts)
    assert parsed.tags == Page(html_of(company="x")).tags


def test_the_page_has_the_colours_of_the_type() -> None:
    assert "--color: #c2410c" in html_of(type="speaker")
    assert "--color: #1d4ed8" in html_of(type="attendee")
    assert "--color: #475569" in html_of(type="volunteer")


def test_a_name_from_the_right_is_marked_so() -> None:
    assert Page(html_of(name="محمد عبد الرحمن", company="Harbour")).directions[-2:] == ["ltr", "ltr"]
    assert Page(html_of(name="محمد عبد الرحمن", company="Harbour")).directions[0] == "rtl"


def test_the_qr_code_is_that_of_the_id() -> None:
    expected = [list(map(bool, row)) for row in segno.make("vip-7", error="m", micro=False).matrix]
    drawn = [[False] * len(expected) for _ in expected]
    for x, y, end in re.findall(r"M(\d+) (\d+)H(\d+)V", qr_code("vip-7", 20)):
        drawn[int(y)][int(x) : int(end)] = [True] * (int(end) - int(x))
    assert drawn == expected
    assert qr_code("vip-7", 21.0) in html_of(id="vip-7")
