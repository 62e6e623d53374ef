"""Count what the rules for names and prose are about, in this checkout or another.

    python -m tests.measure.words [--root FOLDER] [--label NAME] [--json FILE]

Prints one JSON document. The rules are those of tests/support/prose.py, which
tests/project/test_words.py keeps; generated code and decisions (docs/adr) are left out.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.support import prose
from tests.support.program_versions import describe_commit

RULES = {"prose.py", "test_words.py"}  # they quote what they ban


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=prose.ROOT, help="a checkout")
    parser.add_argument("--label", default="now", help="the key of the figures in the JSON file")
    parser.add_argument("--json", type=Path, help="add the figures to this file")
    options = parser.parse_args()
    root = options.root.resolve()
    figures = {
        "command": f"python -m tests.measure.words --label {options.label}",
        "commit": asyncio.run(describe_commit(root)),
        "package": count_code(root, "gcsched"),
        "tests": count_code(root, "tests"),
        **count_pages(root),
    }
    print(json.dumps(figures, indent=1))
    if options.json is not None:
        kept = json.loads(options.json.read_text()) if options.json.exists() else {}
        options.json.write_text(json.dumps(kept | {options.label: figures}, indent=1) + "\n")


def count_code(root: Path, folder: str) -> dict[str, object]:
    paths = [path for path in prose.sources(folder, root=root) if path.name not in RULES]
    code = [prose.read_code(path) for path in paths]
    texts = [text for each in code for text in each.texts]
    lines = sum(path.read_text(encoding="utf-8").count("\n") for path in paths)
    comments = sum(text.kind == "comment" for text in texts)
    names = [name for each in code for _, name in each.names]
    return {
        "files": len(paths),
        "coined_names": sum(map(prose.is_coined, names)),
        "bare_participles": sum(len(each.participles) for each in code),
        "banned": count_offences(texts),
        "comments_per_100_lines": round(100 * comments / lines, 2),
    }


def count_pages(root: Path) -> dict[str, object]:
    pages, contract = prose.pages(root), root / "proto" / "task.proto"
    texts = [text for page in pages for text in prose.texts_of_page(page)]
    return {
        "pages": {"count": len(pages), "banned": count_offences(texts)},
        "contract": {
            "banned": count_offences(prose.texts_of_contract(contract)),
            "unexplained_fields_and_values": len(prose.unexplained(contract)),
        },
        "readme_words": len((root / "README.md").read_text(encoding="utf-8").split()),
        "broken_links": len(prose.broken_links(pages)),
    }


def count_offences(texts: Iterable[prose.Text]) -> dict[str, int]:
    return dict(sorted(Counter(each for text in texts for each in prose.offences(text)).items()))


if __name__ == "__main__":
    main()
