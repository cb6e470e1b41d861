"""Text from strangers."""


def printable(text: str, longest: int) -> str:
    """Take out what no database, log or terminal should meet, and the end of what is too long."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:longest]).strip()
