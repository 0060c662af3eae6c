"""Parts: content beside the text of an answer, its stream, and people's actions on it."""
