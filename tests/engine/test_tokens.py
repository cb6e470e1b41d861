"""Join tokens."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.store import token_rows
from engine.store.database import Store
from engine.tokens import (
    Bucket,
    TokenRefused,
    WrongTokens,
    check_token,
    create_token,
    list_tokens,
    revoke_token,
    take_use,
)
from nodelib.errors import Code, VirtnodeError
from tests.engine.worlds import ADMIN, START, Clock


def make(store: Store, uses: int = 1, seconds: float = 60.0) -> str:
    """Make a token."""
    return create_token(store, uses=uses, seconds=seconds, actor=ADMIN, now=START).token


def use(store: Store, token: str, now: float = START) -> None:
    """Use a token once."""
    with store.write() as connection:
        take_use(connection, check_token(connection, token, now), now)


def test_a_token_is_stored_without_its_secret(store: Store) -> None:
    """Whoever reads the database can let nobody in."""
    token = make(store)
    assert token.startswith("vnt_")
    assert len(token) == 36
    (row,) = list_tokens(store)
    assert token[12:] not in repr(row)
    assert row.id == token[4:12]


@pytest.mark.parametrize("uses", [10])
def test_many_at_once_use_a_token_as_often_as_it_says(store: Store, uses: int) -> None:
    """Of a hundred at the same time exactly ten get it."""
    token = make(store, uses)
    gate = threading.Barrier(16)

    def consume(number: int) -> bool:
        if number < 16:
            gate.wait(20)
        try:
            use(store, token)
        except TokenRefused:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(consume, range(100))) == uses
    assert list_tokens(store)[0].used == uses


def test_the_statement_alone_keeps_the_count(store: Store) -> None:
    """Even who has checked before another used it up gets nothing."""
    make(store)
    (row,) = list_tokens(store)
    with store.write() as connection:
        assert token_rows.take_use(connection, row.id, START)
        assert not token_rows.take_use(connection, row.id, START)
        assert not token_rows.take_use(connection, "other", START)


def test_what_makes_a_token_worthless(store: Store) -> None:
    """Each reason is told, with what to do."""
    expired, revoked, used = make(store, seconds=60), make(store), make(store)
    revoke_token(store, revoked[4:12], ADMIN, START)
    use(store, used)
    cases = {
        expired: ("expired", START + 60),
        revoked: ("revoked", START),
        used: ("used up", START),
        used[:-1] + ("a" if used[-1] != "a" else "b"): ("wrong", START),
        "vnt_": ("wrong", START),
        "": ("wrong", START),
        "\0\ud800": ("wrong", START),
        "x" * 10_000: ("wrong", START),
    }
    for token, (word, now) in cases.items():
        with store.read() as connection, pytest.raises(TokenRefused, match=word) as refused:
            check_token(connection, token, now)
        assert refused.value.code is Code.DENIED
        assert "token create" in refused.value.hint


@pytest.mark.parametrize(("uses", "seconds"), [(0, 60.0), (-1, 60.0), (2_000_000, 60.0), (1, 0.0), (1, 1e12)])
def test_odd_tokens_are_not_made(store: Store, uses: int, seconds: float) -> None:
    """A number out of range gives one line and no token."""
    with pytest.raises(VirtnodeError) as refused:
        make(store, uses, seconds)
    assert refused.value.code is Code.INVALID
    assert list_tokens(store) == ()


def test_revoking_what_is_not_there(store: Store) -> None:
    """A wrong name is an error, not silence."""
    with pytest.raises(VirtnodeError, match="there is no token nothing"):
        revoke_token(store, "nothing", ADMIN, START)


def test_a_bucket_fills_with_time() -> None:
    """So many at once, then so many a second, never more than its size."""
    clock = Clock()
    bucket = Bucket(3, 0.5, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.pass_by(2)
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.pass_by(1000)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_wrong_tokens_are_bounded_for_each_address_and_in_all() -> None:
    """One address that guesses is stopped soon; many of them together later; and time heals both."""
    clock = Clock()
    wrong = WrongTokens(clock)
    for _ in range(10):
        wrong.check("192.0.2.1")
        wrong.count("192.0.2.1")
    with pytest.raises(VirtnodeError, match="too many") as refused:
        wrong.check("192.0.2.1")
    assert refused.value.code is Code.BUSY
    wrong.check("192.0.2.2")
    for number in range(200):
        wrong.count(f"198.51.100.{number}")
    with pytest.raises(VirtnodeError, match="too many"):
        wrong.check("192.0.2.2")
    clock.pass_by(60)
    wrong.check("192.0.2.1")
    wrong.check("192.0.2.2")
