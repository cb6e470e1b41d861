"""What a terminal sends for each key."""

ESCAPE = "\x1b"
ARROWS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
TEXTS = {
    "enter": "\r",
    "tab": "\t",
    "shift+tab": f"{ESCAPE}[Z",
    "escape": ESCAPE,
    "backspace": "\x7f",
    "insert": f"{ESCAPE}[2~",
    "delete": f"{ESCAPE}[3~",
    "pageup": f"{ESCAPE}[5~",
    "pagedown": f"{ESCAPE}[6~",
    "f1": f"{ESCAPE}OP",
    "f2": f"{ESCAPE}OQ",
    "f3": f"{ESCAPE}OR",
    "f4": f"{ESCAPE}OS",
    "f5": f"{ESCAPE}[15~",
    "f6": f"{ESCAPE}[17~",
    "f7": f"{ESCAPE}[18~",
    "f8": f"{ESCAPE}[19~",
    "f9": f"{ESCAPE}[20~",
    "f10": f"{ESCAPE}[21~",
    "f11": f"{ESCAPE}[23~",
    "f12": f"{ESCAPE}[24~",
    "ctrl+at": "\0",
    "ctrl+space": "\0",
    "ctrl+backslash": "\x1c",
    "ctrl+circumflex_accent": "\x1e",
    "ctrl+underscore": "\x1f",
}


def text_of_key(key: str, character: str | None, *, application_keys: bool = False) -> str:
    """Give what is sent for a key; empty for one that terminals do not know."""
    if key in ARROWS:
        return f"{ESCAPE}{'O' if application_keys else '['}{ARROWS[key]}"
    if key in TEXTS:
        return TEXTS[key]
    name, _, letter = key.rpartition("+")
    if name == "ctrl" and len(letter) == 1 and letter.isalpha():
        return chr(ord(letter.lower()) - ord("a") + 1)
    if name == "alt":
        return f"{ESCAPE}{TEXTS.get(letter) or character or letter}"
    return character or ""
