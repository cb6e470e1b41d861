"""The config area: what is written is read, and what is damaged is refused."""

import pytest

from nodelib.config_area import AREA_SIZE, MAGIC, ROOM, ConfigArea, pack_area, parse_area
from nodelib.errors import Code, VirtnodeError

AREA = ConfigArea(b"version = 1\n", b"s" * 64)


def test_what_is_written_is_read() -> None:
    """Always of the same size, blank or full."""
    for area in (ConfigArea(), AREA, ConfigArea(b"x" * ROOM, b"s" * 64)):
        data = pack_area(area)
        assert len(data) == AREA_SIZE
        assert parse_area(data) == area
        assert area.is_blank == (not area.payload)


def test_the_layout_is_as_it_is_declared() -> None:
    """Other programs may read it: the numbers stand where the contract says."""
    data = pack_area(AREA)
    assert data[:16] == MAGIC
    assert [int.from_bytes(data[at : at + 4], "little") for at in (16, 20, 24, 28)] == [1, 65536, 12, 64]
    assert data[512:524] == b"version = 1\n"
    assert data[524:588] == b"s" * 64
    assert not any(data[588:])


def test_what_is_too_long_is_refused() -> None:
    """The message says how much room there is."""
    with pytest.raises(VirtnodeError, match=f"room for {ROOM}") as caught:
        pack_area(ConfigArea(b"x" * (ROOM + 1)))
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, b"X", "does not begin"),
        (16, b"\x02", "version is 2"),
        (20, b"\x01", "cut off"),
        (24, b"\xff\xff\xff", "cut off"),
        (28, b"\x05", "signature has 5"),
        (40, b"\0\0\0\0", "checksum"),
        (515, b"X", "checksum"),
    ],
)
def test_what_is_damaged_is_refused(offset: int, value: bytes, reason: str) -> None:
    """Each field that a bit flip or another program may have changed."""
    data = bytearray(pack_area(AREA))
    data[offset : offset + len(value)] = value
    with pytest.raises(VirtnodeError, match=reason):
        parse_area(bytes(data))


def test_a_file_that_was_cut_is_refused() -> None:
    """Half a file, or an empty one."""
    for size in (0, 100, 5000):
        with pytest.raises(VirtnodeError):
            parse_area(pack_area(AREA)[:size])
