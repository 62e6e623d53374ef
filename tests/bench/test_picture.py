from io import BytesIO
from xml.parsers.expat import ParserCreate

import pytest

from gcsched.bench.picture import choose_ceiling, choose_step, draw
from tests.bench.reports import a_report


def read_elements(text: str) -> tuple[list[dict[str, str]], list[str]]:
    """Return the attributes of the rectangles and the texts; fail if it is not XML."""
    bars, texts = list[dict[str, str]](), list[str]()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, given: bars.append(given) if name == "rect" else None
    parser.CharacterDataHandler = lambda text: texts.append(text.strip())
    parser.ParseFile(BytesIO(text.encode()))
    return bars, texts


def test_a_picture_is_xml_with_a_bar_for_each_count_that_is_not_zero() -> None:
    rectangles, texts = read_elements(draw(a_report()))

    heights = [float(each["height"]) for each in rectangles if each["fill"] == "#2f6fb3"]
    assert [each / max(heights) for each in heights] == pytest.approx([0.2, 1.0, 0.4], abs=0.01)
    assert any("built-in <service>" in each for each in texts)
    assert "50 % within 20 ms, 99 % within 40 ms" in texts
    assert "3,000 calls per second" in texts


@pytest.mark.parametrize("value", [0.003, 0.9, 1, 7, 99.9, 100, 1234, 8000.5])
def test_scales_are_round_and_hold_the_value(value: float) -> None:
    assert value <= choose_ceiling(value) <= 2.1 * value
    assert value * 0.99 <= choose_step(value) <= 2.6 * value
