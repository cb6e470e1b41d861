"""How the tables came to be: one module for each step, applied in order, each in a transaction.

A step that has been released is never edited; the next one changes what it left.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from engine.store.migrations import m0001_first_tables, m0002_updates


@dataclass(frozen=True)
class Migration:
    """One step: the version that it leads to, and what it does."""

    version: int
    apply: Callable[[Connection], None]


MIGRATIONS = (Migration(1, m0001_first_tables.apply), Migration(2, m0002_updates.apply))
