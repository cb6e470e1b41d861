"""Files of others, edited by the real augeas."""

import pytest

from nodeagent.augeas_files import name_in_hosts
from nodelib.errors import Code, VirtnodeError

HOSTS = "# Kept.\n127.0.0.1\tlocalhost loopback # kept, too\n::1 localhost\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HOSTS, f"{HOSTS}127.0.1.1\tnode1.example.org node1\n"),
        ("", "127.0.1.1\tnode1.example.org node1\n"),
        ("127.0.0.1 localhost", "127.0.0.1 localhost\n127.0.1.1\tnode1.example.org node1\n"),
        ("127.0.1.1 old a b # c\n::1 x\n", "127.0.1.1 node1.example.org node1 # c\n::1 x\n"),
        ("127.0.1.1 old\n", "127.0.1.1 node1.example.org node1\n"),
    ],
    ids=["added", "empty", "no end of line", "comment", "replaced"],
)
def test_a_name_gets_its_line_and_all_others_stay(before: str, after: str) -> None:
    """Comments, order and spaces of the rest are as they were; doing it twice changes nothing."""
    assert name_in_hosts(before, "127.0.1.1", "node1.example.org") == after
    assert name_in_hosts(after, "127.0.1.1", "node1.example.org") == after


def test_a_name_of_one_part_has_no_alias() -> None:
    """An old alias goes."""
    assert name_in_hosts("127.0.1.1 old older\n", "127.0.1.1", "node2") == "127.0.1.1 node2\n"


def test_a_file_that_cannot_be_understood_is_left_alone() -> None:
    """It is an error that says so, not a file with half its lines."""
    with pytest.raises(VirtnodeError) as caught:
        name_in_hosts("127.0.0.1\n???\n", "127.0.1.1", "node1")
    assert (caught.value.code, bool(caught.value.hint)) == (Code.CONFLICT, True)
