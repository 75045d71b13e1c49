"""Draws who writes and who reads each topic, from the table of topics, as SVG."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax import saxutils

from shared.contract.topics import Topic

_OUTSIDE = frozenset({"upstream", "others"})
_COLOURS = {
    "ingest": "#0b6e4f", "scheduler": "#8a5a00", "dispatcher": "#1f5fbf", "digest": "#8e3b8e",
    "inbox": "#b3261e", "console": "#00707a", "retention": "#5b5b5b",
}  # fmt: skip
_GREY = "#444444"
_WIDTH, _ROW, _TOP = 1100, 44, 70
_BOX_WIDTH, _BOX_HEIGHT = 130, 32
_TOPIC_LEFT, _TOPIC_WIDTH = 330, 440
_CONSUMER_LEFT = _WIDTH - 20 - _BOX_WIDTH
_PRODUCER_LEFT = 20


@dataclass(frozen=True, slots=True)
class Row:
    """Topics that are alike but for a lane or a channel, drawn as one."""

    label: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    topics: tuple[Topic, ...]


def rows(topics: Sequence[Topic]) -> list[Row]:
    """The topics in the order of the table, neighbours with the same model, writers and readers as one row."""
    alike = itertools.groupby(topics, lambda each: (each.model or each.name, each.producers, each.consumers))
    found = []
    for (_, producers, consumers), group in alike:
        together = tuple(group)
        found.append(Row(label([topic.name for topic in together]), producers, consumers, together))
    return found


def label(names: Sequence[str]) -> str:
    """`a.x`, `a.y` → `a.{x,y}`: what names of equally many parts have in common, and what differs."""
    columns = [list(dict.fromkeys(column)) for column in zip(*(name.split(".") for name in names), strict=True)]
    return ".".join(column[0] if len(column) == 1 else f"{{{','.join(column)}}}" for column in columns)


def picture(topics: Sequence[Topic]) -> str:
    """The drawing as SVG: writers on the left, topics in the middle, readers on the right."""
    drawn = rows(topics)
    middle = {row.label: _TOP + index * _ROW for index, row in enumerate(drawn)}
    height = _TOP + len(drawn) * _ROW + 10
    left = _column([(name, middle[row.label]) for row in drawn for name in row.producers], height)
    right = _column([(name, middle[row.label]) for row in drawn for name in row.consumers], height)
    topic_right = _TOPIC_LEFT + _TOPIC_WIDTH
    parts = [
        *(_line(name, (_PRODUCER_LEFT + _BOX_WIDTH, left[name]), (_TOPIC_LEFT, middle[row.label]))
          for row in drawn for name in row.producers),
        *(_line(name, (topic_right, middle[row.label]), (_CONSUMER_LEFT, right[name]))
          for row in drawn for name in row.consumers),
        *(_service(name, _PRODUCER_LEFT, y) for name, y in left.items()),
        *(_topic(row.label, middle[row.label]) for row in drawn),
        *(_service(name, _CONSUMER_LEFT, y) for name, y in right.items()),
    ]  # fmt: skip
    return "\n".join([*_head(height), *parts, "</svg>"]) + "\n"


def _column(links: Iterable[tuple[str, int]], height: int) -> dict[str, float]:
    """Each service at the mean height of its topics, spread evenly in that order: few lines cross."""
    reached: dict[str, list[int]] = {}
    for name, y in links:
        reached.setdefault(name, []).append(y)
    order = sorted(reached, key=lambda name: (sum(reached[name]) / len(reached[name]), name))
    step = (height - _TOP) / len(order)
    return {name: _TOP + step * index + (step - _ROW) / 2 for index, name in enumerate(order)}


def _head(height: int) -> list[str]:
    titles = ((_PRODUCER_LEFT, "written by"), (_TOPIC_LEFT, "topic"), (_CONSUMER_LEFT, "read by"))
    return [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="15">'
        ),
        "<title>Who writes and who reads each topic of Tocsin</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *(f'<text x="{x}" y="36" fill="{_GREY}" font-weight="600">{title}</text>' for x, title in titles),
    ]


def _line(service: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    y1, y2, bend = y1 + _BOX_HEIGHT / 2, y2 + _BOX_HEIGHT / 2, (x2 - x1) / 2
    colour = _COLOURS.get(service, _GREY)
    path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2 - 6:g} {y2:g}"
    tip = f"M{x2:g} {y2:g}l-9 -4v8z"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/><path d="{tip}" fill="{colour}"/>'


def _service(name: str, x: float, y: float) -> str:
    colour, dashes = _COLOURS.get(name, _GREY), ' stroke-dasharray="5 4"' if name in _OUTSIDE else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" fill="#ffffff" '
        f'stroke="{colour}" stroke-width="2"{dashes}/>'
        f'<text x="{x + _BOX_WIDTH / 2:g}" y="{y + 21:g}" text-anchor="middle" fill="{colour}">{name}</text>'
    )


def _topic(text: str, y: float) -> str:
    return (
        f'<rect x="{_TOPIC_LEFT}" y="{y:g}" width="{_TOPIC_WIDTH}" height="{_BOX_HEIGHT}" rx="16" fill="#f2f4f7" '
        f'stroke="#9aa4b2"/><text x="{_TOPIC_LEFT + _TOPIC_WIDTH / 2:g}" y="{y + 21:g}" text-anchor="middle" '
        f'fill="#1d2430" font-family="ui-monospace, monospace">{saxutils.escape(text)}</text>'
    )
