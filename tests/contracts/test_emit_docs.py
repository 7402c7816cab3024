import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.contracts.emit.docs import pages
from bridge.contracts.emit.docs.html import escape, join, tag
from bridge.contracts.source import load, load_text

ATTACK = '</code></style><script>alert(1)</script><img src=x onerror="alert(1)">'
ORDER = Path(__file__).parent / "data" / "order.json"
BADGES = Path(__file__).parents[2] / "contracts"


class Reader(HTMLParser):
    """The elements of a page with their attributes, its ids and links, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def values(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def page_of(document, name="sync_order.json", released=()):
    model = load_text(document, name)
    return pages([model], released)[f"{model.module}.html"]


def attacked():
    """A contract with markup in every text that it may hold."""
    quoted = ATTACK.replace('"', '\\"')
    return f"""{{
      "title": "Bad", "description": "{quoted}",
      "x-job": {{"worker": "W", "serves": "python", "queue": "q", "tags": ["{quoted}"], "aliases": ["{quoted}"],
                "errors": {{"e": {{"retry": "cancel", "description": "{quoted}"}}}}}},
      "type": "object",
      "properties": {{
        "a{quoted}": {{"type": "string", "description": "{quoted}", "default": "{quoted}", "examples": ["{quoted}"]}},
        "b": {{"type": "string", "enum": ["{quoted}"], "title": "E", "description": "{quoted}"}},
        "c": {{"const": "{quoted}"}},
        "d": {{"enum": ["{quoted}", 1]}},
        "e": {{"type": "string", "pattern": "^<script>\\"$"}}
      }},
      "examples": [{{"b": "{quoted}"}}]
    }}"""


def test_every_contract_and_shared_schema_has_a_page_and_the_index_leads_to_all():
    found = pages(load(BADGES))
    links = Reader(found["index.html"]).values("href")

    assert set(found) == {"index.html", "badge_file.html", "generate_badge.html", "print_center.html"}
    assert set(links) - {"#main"} == set(found) - {"index.html"}


def test_the_same_contracts_give_the_same_pages():
    assert pages(load(BADGES)) == pages(load(BADGES))


@pytest.mark.parametrize("page", sorted(pages(load(BADGES))))
def test_a_page_needs_nothing_else_and_is_well_formed(page):
    reader = Reader(pages(load(BADGES))[page])

    assert reader.open == []
    assert not {"script", "link", "img", "iframe", "object"} & {name for name, _ in reader.elements}
    assert reader.values("src") == []
    assert not any(link.startswith(("http", "//")) for link in reader.values("href"))
    assert any("default-src 'none'" in content for content in reader.values("content"))
    assert "url(" not in pages(load(BADGES))[page]


def test_links_within_a_page_lead_somewhere_and_ids_are_there_once():
    reader = Reader(page_of(ORDER.read_text(encoding="utf-8")))
    ids = reader.values("id")

    assert len(ids) == len(set(ids))
    assert {link[1:] for link in reader.values("href") if link.startswith("#")} <= set(ids)


def test_a_page_can_be_read_without_eyes_and_without_a_mouse():
    reader = Reader(page_of(ORDER.read_text(encoding="utf-8")))
    names = [name for name, _ in reader.elements]
    headings = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    cells = [attributes for name, attributes in reader.elements if name == "th"]

    assert ("html", {"lang": "en"}) in reader.elements
    assert names.count("h1") == names.count("main") == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert all(cell["scope"] in ("row", "col") for cell in cells)
    assert names.count("table") == names.count("caption")
    assert all("tabindex" in attributes for _, attributes in reader.elements if attributes.get("class") == "table")
    assert "prefers-color-scheme: dark" in page_of(ORDER.read_text(encoding="utf-8"))


def test_text_of_a_contract_stays_text():
    page = page_of(attacked(), "bad.json")
    reader = Reader(page)

    assert reader.open == []
    assert not {"script", "img"} & {name for name, _ in reader.elements}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert reader.text.count("<script>alert(1)</script>") >= 10
    assert page.count("<style>") == page.count("</style>") == 1


def test_what_readers_can_not_see_is_shown():
    assert escape("a\u202eb\x00c\x7f\ud800<") == "a\\u202eb\\x00c\\x7f\\ud800&lt;"
    assert escape("é\U0001f600\n\t") == "é\U0001f600\n\t"


def test_only_what_was_made_as_html_is_html():
    assert join("<", tag("b", "<", title='"'), ["&"]) == '&lt;<b title="&quot;">&lt;</b>&amp;'


def test_a_field_is_told_with_its_type_in_both_languages():
    text = Reader(page_of(ORDER.read_text(encoding="utf-8"))).text

    for words in (
        "id int integer() required at least 1",
        "email str | UnsetType String.t() | nil optional sensitive format email",
        "state OrderState | UnsetType order_state () | nil optional",
        "note str | UnsetType | None String.t() | nil | :unset optional, may be null",
        "labels dict[str, Label ] | UnsetType %{optional(String.t()) => Label .t()} | nil optional",
        "items list[ Item ] | UnsetType [ Item .t()] | nil optional",
        "pair tuple[int, Label ] | UnsetType [integer() | Label .t()] | nil optional",
        "target ByMail | ByHook ByMail .t() | ByHook .t() required told apart by via",
        "open , paid , sent Open: readers let other text pass.",
        "a , b Closed: readers refuse any other text.",
        "Runs in Elixir Worker Shop.SyncOrder Queue default",
        "Also known as Shop.OldSync",
    ):
        assert words in text


def test_defaults_deprecation_and_rules_are_told():
    text = Reader(
        page_of(
            '{"x-job": {"worker": "W", "serves": "python", "timeout": 30, "unique": {"period": 60, "keys": ["a"]}},'
            '"type": "object", "properties": {"a": {"type": "integer", "default": 3, "deprecated": true,'
            '"exclusiveMaximum": 9, "multipleOf": 3}, "b": {"type": "array", "items": {"type": "string"},'
            '"minItems": 1, "uniqueItems": true, "contains": {"const": "x"}}}}'
        )
    ).text

    assert "optional, default 3 deprecated less than 9 a multiple of 3" in text
    assert "at least 1 item no item twice more under schema : contains" in text
    assert "Timeout 30 seconds" in text
    assert "period 60 ; keys a" in text


def test_results_errors_and_events_have_sections():
    text = Reader(
        page_of(
            '{"x-job": {"worker": "W", "serves": "python", "result": {"type": "integer"},'
            '"errors": {"gone": {"retry": "cancel", "description": "No more.", "data": {"type": "object",'
            '"properties": {"id": {"type": "integer"}}}}},'
            '"events": {"progress": {"type": "object", "properties": {"done": {"type": "integer"}}}}},'
            '"type": "object", "properties": {}}'
        )
    ).text

    assert "Result What the worker returns. Python int , Elixir integer()" in text
    assert "gone cancel No more." in text
    assert "Event progress" in text
    assert "done int | UnsetType integer() | nil optional" in text


def test_examples_and_a_made_sample_are_checked():
    text = Reader(pages(load(BADGES))["generate_badge.html"]).text

    assert text.count("Example checked") == 2
    assert "Joaquín Núñez de la Peña" in text
    assert "Made from the schema checked" in text


def test_a_schema_that_nothing_keeps_says_so():
    page = page_of(
        '{"x-job": {"worker": "W", "serves": "python"}, "type": "object", "required": ["a"],'
        '"properties": {"a": {"type": "string", "pattern": "^a$", "minLength": 2}}}'
    )

    assert "no value keeps this schema" in Reader(page).text


def test_versions_are_told_with_their_fields():
    now = load_text(ORDER.read_text(encoding="utf-8"), "sync_order.json")
    fields = {name: schema for name, schema in now.schema["properties"].items() if name != "note"}
    old = replace(now, schema={**now.schema, "properties": fields}, job=replace(now.job, version=1))

    text = Reader(pages([now], [old])["sync_order.html"]).text

    assert "SyncOrder@1 released SyncOrder@2 not released note added" in text


def test_a_contract_named_index_does_not_replace_the_index():
    model = load_text(
        '{"x-job": {"worker": "W", "serves": "python"}, "type": "object", "properties": {}}', "index.json"
    )

    assert set(pages([model])) == {"index.html", "index-contract.html"}
