"""Statements on images: what each bundle is; the bundles themselves are files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, Row, delete, insert, select

from engine.store.schema import IMAGES


@dataclass(frozen=True)
class ImageRow:
    """An image as it is stored, without its packages."""

    digest: str
    """SHA-256 of the bundle, in hexadecimal."""
    size_bytes: int
    product: str
    version: str
    build_id: str
    system: str
    architecture: str
    made: float
    signers: str
    """Names of the keys that vouch for it, with spaces between them."""
    added_at: float
    added_by: str


COLUMNS = select(*(IMAGES.c[field.name] for field in fields(ImageRow)))


def insert_image(connection: Connection, row: ImageRow, packages: Mapping[str, str]) -> None:
    """Add an image; one that is there already is a conflict."""
    connection.execute(insert(IMAGES), [{**asdict(row), "packages": json.dumps(dict(packages))}])


def find_image(connection: Connection, digest: str) -> ImageRow | None:
    """Find an image by its digest."""
    return _one(connection.execute(COLUMNS.where(IMAGES.c.digest == digest)).first())


def list_images(connection: Connection) -> tuple[ImageRow, ...]:
    """List images, the newest first."""
    rows = connection.execute(COLUMNS.order_by(IMAGES.c.made.desc(), IMAGES.c.digest))
    return tuple(ImageRow(**row._mapping) for row in rows)


def read_packages(connection: Connection, build_id: str) -> dict[str, str] | None:
    """Read what a build was made of; None where no image of it is known."""
    query = select(IMAGES.c.packages).where(IMAGES.c.build_id == build_id).limit(1)
    found = connection.execute(query).scalar()
    return None if found is None else {str(name): str(one) for name, one in json.loads(found).items()}


def delete_image(connection: Connection, digest: str) -> None:
    """Forget an image."""
    connection.execute(delete(IMAGES).where(IMAGES.c.digest == digest))


def _one(row: Row[tuple[object, ...]] | None) -> ImageRow | None:
    return None if row is None else ImageRow(**row._mapping)
