"""A DAG, drawn: for a terminal, as a Mermaid flowchart, as a picture. Values in, text out."""

from bot.graph.mermaid import as_mermaid
from bot.graph.svg import as_svg
from bot.graph.text import as_text
from bot.graph.words import MARKS, States, kind

__all__ = ["MARKS", "States", "as_mermaid", "as_svg", "as_text", "kind"]
