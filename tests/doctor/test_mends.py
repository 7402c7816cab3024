"""What the mends and the guide say: commands that exist, and every finding explained."""

import re
from pathlib import Path

import typer

from bridge.cli.main import app
from bridge.doctor import CHECKS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "doctor.md").read_text("utf-8")
SOURCES = "".join(path.read_text("utf-8") for path in (ROOT / "bridge" / "doctor").glob("*.py"))


def commands():
    """Every command by its words, with the names of its options."""
    found = {}

    def walk(group, words):
        for name, command in group.commands.items():
            found[(*words, name)] = {option for parameter in command.params for option in parameter.opts}
            if hasattr(command, "commands"):
                walk(command, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


def test_every_command_that_a_mend_names_is_there_with_its_options():
    known = commands()
    text = SOURCES + GUIDE
    mentioned = re.findall(r"bridge ((?:jobs|queues|maintain|install|upgrade|start|doctor|db)\b(?: [a-z]+)?)(.*)", text)
    assert len(mentioned) > 15
    for words, rest in mentioned:
        first, *others = words.split()
        command = (first, *others) if (first, *others) in known else (first,)
        assert command in known, words
        options = re.match(r"((?: (?:--[a-z-]+|ID|…|[a-z]+=\S+|[a-z]+:10))*)", rest)
        for option in re.findall(r"--[a-z-]+", options[1]):
            assert option in known[command], (command, option)


def test_groups_are_named_with_a_command():
    for words in re.findall(r"bridge ((?:jobs|queues|maintain) [a-z]+)", SOURCES):
        assert tuple(words.split()) in commands(), words


def test_the_guide_explains_every_finding_and_no_other():
    explained = re.findall(r"^\| `([a-z]+(?:-[a-z]+)*)` \|", GUIDE, re.MULTILINE)

    assert explained == [*(check.id for check in CHECKS), "not-looked-at"]


def test_ids_are_unique():
    assert len({check.id for check in CHECKS}) == len(CHECKS)
