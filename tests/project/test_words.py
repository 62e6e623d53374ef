"""Names and prose keep to the rules of tests/support/prose.py, in code, contract and pages."""

from pathlib import Path

import pytest

from tests.support import prose
from tests.support.prose import Text

CODE = prose.sources("gcsched", "tests")
RULES = {Path("tests/support/prose.py"), Path("tests/project/test_words.py")}
CONTRACT = prose.ROOT / "proto" / "task.proto"


def code() -> list[Path]:
    """Return the files that people write, but for those that quote the banned words."""
    return [path for path in CODE if path.relative_to(prose.ROOT) not in RULES]


def test_no_docstring_comment_or_message_uses_a_banned_word() -> None:
    texts = [text for path in code() for text in prose.read_code(path).texts]

    assert len(texts) > 10_000
    assert [f"{text} {wrong}" for text in texts if (wrong := prose.offences(text))] == []


def test_no_page_uses_a_banned_word() -> None:
    texts = [text for page in prose.pages() for text in prose.texts_of_page(page)]

    assert [f"{text} {wrong}" for text in texts if (wrong := prose.offences(text))] == []


def test_the_contract_uses_no_banned_word_and_explains_each_field_and_value() -> None:
    texts = prose.texts_of_contract(CONTRACT)

    assert [f"{text} {wrong}" for text in texts if (wrong := prose.offences(text))] == []
    assert prose.unexplained(CONTRACT) == []


STORED = {Path(f"gcsched/adapters/mongo/{name}.py") for name in ("job_document", "other_documents")}
"""Fields there keep the names that stores of earlier versions have (docs/adr/0031)."""


def test_no_name_in_the_package_is_a_coined_word() -> None:
    found = [
        f"{path}:{line}: {name}"
        for path in prose.sources("gcsched")
        if path.relative_to(prose.ROOT) not in STORED
        for line, name in prose.read_code(path).names
        if prose.is_coined(name)
    ]

    assert found == []


def test_functions_are_named_by_verbs() -> None:
    found = [
        f"{path}:{line}: {name}"
        for path in code()
        for line, name in prose.read_code(path).participles
        if not name.startswith("test_")
    ]

    assert found == []


def test_links_between_pages_lead_somewhere() -> None:
    decisions = sorted((prose.ROOT / "docs" / "adr").glob("*.md"))

    assert prose.broken_links([*prose.pages(), *decisions]) == []


@pytest.mark.parametrize(
    ("kind", "words", "wrong"),
    [
        ("docstring", "Give the job back.", ["first word Give"]),
        ("docstring", "Return what the caller gave.", []),
        ("comment", "nobody reads this", ["riddle"]),
        ("message", "the caller was told so", ["told, said"]),
        ("message", "this is no address", ["is no"]),
        ("message", "there is no address; it is no longer kept", []),
        ("page", "from the begin on", ["begin as a noun"]),
        ("page", "tried five times in vain", ["in vain"]),
    ],
)
def test_each_rule_finds_what_it_is_for(kind: str, words: str, wrong: list[str]) -> None:
    assert prose.offences(Text(Path("somewhere"), 1, kind, words)) == wrong


def test_comments_docstrings_and_messages_are_all_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        '"""Give a page."""\n\nLIMIT = 1  # nobody needs more\n"""Told below the name."""\n\n\n'
        'def told(name: str) -> str:\n    """Let it be."""\n    return f"{name} wished it"\n\n\n'
        'QUOTED = \'\\\'#nobody\' + f"#nobody" + """"#nobody"""  # himself\n',
        encoding="utf-8",
    )

    found = {(each.kind, each.line): prose.offences(each) for each in prose.read_code(file).texts}

    assert found == {
        ("docstring", 1): ["first word Give"],
        ("comment", 3): ["riddle"],
        ("docstring", 4): ["told, said"],
        ("docstring", 8): ["first word Let"],
        ("message", 9): ["wish"],
        ("comment", 12): ["riddle"],
    }
    assert prose.read_code(file).participles == [(7, "told")]


def test_a_participle_is_right_for_a_method_of_a_frozen_value(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "@dataclass(frozen=True, slots=True)\nclass Job:\n    def cancelled(self): ...\n\n\n"
        "class Attempt(Struct, frozen=True):\n    def refused(self): ...\n\n\n"
        "class Lane:\n    def freed(self): ...\n",
        encoding="utf-8",
    )

    assert [name for _, name in prose.read_code(file).participles] == ["freed"]


def test_names_are_split_into_their_words() -> None:
    assert prose.words_of("RateLimit") == prose.words_of("rate_limit") == ["rate", "limit"]
    assert prose.is_coined("_bite_size")
    assert not prose.is_coined("RingBuffer".replace("Ring", "Round"))


def test_a_broken_link_and_a_wrong_anchor_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Other\n\n## The `begin` permit\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](gone.md) [c](other.md#the-begin-permit) [d](other.md#gone)\n"
        "```\n[e](code.md)\n```\n[f](https://example.org/gone)\n",
        encoding="utf-8",
    )

    broken = [each.rpartition(": ")[2] for each in prose.broken_links([page])]

    assert broken == ["gone.md", "other.md#gone"]


def test_a_field_without_a_comment_is_found(tmp_path: Path) -> None:
    contract = tmp_path / "some.proto"
    contract.write_text(
        "// A message.\nmessage Some {\n  // Its id.\n  string id = 1;\n  string name = 2;\n"
        "  map<string, string> labels = 3;  // marks\n  enum Kind {\n    NONE = 0;\n  }\n}\n",
        encoding="utf-8",
    )

    assert prose.unexplained(contract) == ["name", "NONE"]
