"""The line of a value in a TOML text."""

import pytest

from nodeagent.problems import Path, dotted
from nodeagent.toml_lines import find_line

TEXT = """\
version = 1
[engine] # the engine
address = "e"
"token" = "t"

[[network.nic]]
match = { name = "eth0" }
match2.name = "x"
[[network.nic]]
ipv4 = [
  "a",
]
mtu = 1
[network.extra]
x = 1
[[a]]
[[a.b]]
[[a.b]]
c = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("version",), 1),
        (("engine",), 2),
        (("engine", "address"), 3),
        (("engine", "token"), 4),
        (("engine", "missing"), 2),
        (("network", "nic", 0), 6),
        (("network", "nic", 0, "match", "name"), 7),
        (("network", "nic", 0, "match2", "name"), 8),
        (("network", "nic", 1), 9),
        (("network", "nic", 1, "ipv4", 0), 10),
        (("network", "nic", 1, "mtu"), 13),
        (("network", "extra", "x"), 15),
        (("a", 0, "b", 1, "c"), 19),
        (("nowhere",), 1),
    ],
    ids=lambda value: dotted(value) if isinstance(value, tuple) else str(value),
)
def test_a_value_is_found_at_its_line(path: Path, line: int) -> None:
    """The line is the key's own, else that of the table around it."""
    assert find_line(TEXT, path) == line
