"""A technician at the machine itself: its screen, and its keyboard, as slow as fingers are."""

from tests.vm.guest import Guest, wait_until

KEYS = {
    "enter": "ret",
    "esc": "esc",
    "tab": "tab",
    "backspace": "backspace",
    "\t": "tab",
    " ": "spc",
    ".": "dot",
    "/": "slash",
    "-": "minus",
    ":": "shift+semicolon",
}
"""QEMU's names of keys, by what a test calls them or by what they write; letters and digits are their own."""


class Screen:
    """The first virtual terminal, with what a technician needs of a `Terminal`."""

    def __init__(self, node: Guest) -> None:
        self._node = node

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        size, letters = self._node.run("stty -F /dev/tty1 size; cat /dev/vcs1").split("\n", 1)
        columns = int(size.split()[1])
        lines = (letters[place : place + columns] for place in range(0, len(letters), columns))
        return "\n".join(line.rstrip() for line in lines)

    def press(self, *keys: str) -> None:
        """Press keys by name, or by the character that they write."""
        for key in keys:
            self._node.send_keys(KEYS.get(key, key))
            # To ask an emulated machine takes about as long as a person takes for a key.
            self._node.run("true")

    def type(self, text: str) -> None:
        """Type a text."""
        self.press(*text)

    def erase(self, count: int) -> None:
        """Delete what stands before the cursor."""
        self.press(*["backspace"] * count)

    def settle(self) -> None:
        """Wait until two looks see the same."""
        before, now = "", self.text
        while before != now:
            self._node.run("sleep 1")
            before, now = now, self.text

    def wait_for(self, text: str, seconds: float = 120.0) -> str:
        """Wait until a text is on the screen, and return all of it."""
        return self._watch(text, seconds, there=True)

    def wait_until_gone(self, text: str, seconds: float = 120.0) -> None:
        """Wait until a text is on the screen no more."""
        self._watch(text, seconds, there=False)

    def _watch(self, text: str, seconds: float, *, there: bool) -> str:
        shown = ""

        def is_so() -> bool:
            nonlocal shown
            shown = self.text
            return (text in shown) == there

        try:
            wait_until(is_so, seconds, f"{text!r} {'on' if there else 'to leave'} the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{shown}") from None
        return shown
