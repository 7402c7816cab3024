"""Both renderers make a PDF of one page that says what the badge says."""

import io
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import StreamObject

from python_demo.badge import THEMES, Attendee
from python_demo.render import Renderer
from python_demo.with_fpdf2 import Fpdf2Renderer

HOSTILE = [
    {"name": "Maximiliana Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh III"},
    {"name": "李小龍", "company": "株式会社ブリッジソフトウェア開発研究所"},
    {"name": "محمد عبد الرحمن", "company": "שלום Software"},
    {"name": "Ana 👩🏽\u200d💻 Souza 🚀", "type": "volunteer"},
    {"name": "<b>&amp;</b> {{ 7*7 }} %s \\(", "company": 'O\'Reilly & "Söhne"', "type": "press & media"},
    {"name": "x" * 500, "company": "y" * 500, "type": "z" * 500},
    {"name": "\ufdd0\U000e0001\u0301", "company": "\u200d"},
]


@pytest.fixture(scope="module", params=["WeasyPrint", "fpdf2"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    if request.param == "fpdf2":
        return Fpdf2Renderer()
    try:
        from python_demo.with_weasyprint import WeasyPrintRenderer
    except OSError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"WeasyPrint's system libraries are not installed: {error}")
    return WeasyPrintRenderer()


def attendee(**args: Any) -> Attendee:
    return Attendee.from_args({"id": 42, "name": "Ada Lovelace", "company": "Harbour", "type": "attendee", **args})


def text_of(pdf: bytes) -> str:
    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == 1
    return " ".join(reader.pages[0].extract_text().split())


def colors_of(pdf: bytes) -> Counter[str]:
    """The colours that things on the page are filled with, and how many things."""
    reader = PdfReader(io.BytesIO(pdf))
    objects = (reader.get_object(number) for number in range(1, len(reader.xref_objStm) + len(reader.xref[0]) + 1))
    drawn = b"\n".join(found.get_data() for found in objects if isinstance(found, StreamObject))
    fills = re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) (?:rg|scn)\b", drawn)
    return Counter("#" + "".join(f"{round(float(channel) * 255):02x}" for channel in fill) for fill in fills)


def test_the_text_can_be_extracted(renderer: Renderer) -> None:
    text = text_of(renderer.render(attendee(name="Zoë Nguyễn", company="Société & <Fils>", type="sponsor")))
    for expected in ("Bridge Conf", "2026", "Zoë", "Nguyễn", "Société & <Fils>", "No. 42", "Sponsor"):
        assert expected in text


def test_greek_and_cyrillic_need_no_font_of_the_machine(renderer: Renderer) -> None:
    text = text_of(renderer.render(attendee(name="Ελένη Παπαδοπούλου", company="Київ")))
    assert "Παπαδοπούλου" in text
    assert "Київ" in text


def test_the_page_is_four_by_six_inches(renderer: Renderer) -> None:
    box = PdfReader(io.BytesIO(renderer.render(attendee()))).pages[0].mediabox
    assert (round(float(box.width)), round(float(box.height))) == (288, 432)


@pytest.mark.parametrize("type_", [*THEMES, "volunteer"])
def test_each_type_has_its_colour_and_no_others(renderer: Renderer, type_: str) -> None:
    subject = attendee(type=type_)
    colors = colors_of(renderer.render(subject))
    assert colors[subject.theme.color] >= 3  # the sun, the river and the band
    assert not colors.keys() & {theme.color for theme in THEMES.values() if theme is not subject.theme}


@pytest.mark.parametrize("args", HOSTILE, ids=lambda args: str(args["name"])[:12])
def test_no_text_breaks_the_badge(renderer: Renderer, args: dict[str, Any]) -> None:
    assert "No. 42" in text_of(renderer.render(attendee(**args)))


def test_a_character_that_no_font_here_has_is_told(renderer: Renderer, caplog: pytest.LogCaptureFixture) -> None:
    renderer.render(attendee())
    assert caplog.messages == []
    renderer.render(attendee(name="Ada \U000f1234"))  # for private use
    assert any("U+F1234" in message for message in caplog.messages)


def test_the_same_attendee_gives_the_same_bytes(renderer: Renderer) -> None:
    first = renderer.render(attendee())
    assert renderer.render(attendee(name="Somebody Else")) != first
    assert renderer.render(attendee()) == first


def test_another_process_gives_the_same_bytes(renderer: Renderer) -> None:
    module = type(renderer).__module__
    program = (
        f"import sys; from {module} import {type(renderer).__name__} as R; from python_demo.badge import Attendee;"
        "sys.stdout.buffer.write(R().render(Attendee(42, 'Ada Lovelace', 'Harbour', 'attendee')))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert done.stdout == renderer.render(attendee())


def test_threads_do_not_disturb_each_other(renderer: Renderer) -> None:
    subjects = [attendee(id=number, name=f"Name {number}") for number in range(12)]
    alone = [renderer.render(subject) for subject in subjects]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(renderer.render, subjects)) == alone
