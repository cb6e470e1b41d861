"""The link's verbs about updates: the engine has bundles, and a node fetches one over its connection."""

from collections.abc import Mapping
from dataclasses import dataclass

from nodelib.bus_update import RollBack, UpdateView
from nodelib.link import Nothing, Verb

IMAGE_PART = 512 << 10
"""Bytes of a bundle that one reply brings at most."""
LARGEST_IMAGE = 4 << 30


@dataclass(frozen=True)
class UpdateOrder:
    """Take this bundle of the engine's, try it, and restart. The reply comes once the work has begun."""

    digest: str
    """SHA-256 of the whole bundle, in hexadecimal."""
    size_bytes: int
    version: str
    build_id: str
    stop_guests: bool = False


@dataclass(frozen=True)
class ImagePartRequest:
    """A node asks for a piece of a bundle: IMAGE_PART bytes from `offset`, fewer at the end."""

    digest: str
    offset: int


@dataclass(frozen=True)
class ImagePart:
    """The piece, as base64."""

    data: str


@dataclass(frozen=True)
class PackagesReply:
    """What the running image was made of: versions by name; `build_id` is the image's."""

    build_id: str
    packages: Mapping[str, str]


UPDATE = Verb("update", UpdateOrder, Nothing)
GET_UPDATE = Verb("get_update", Nothing, UpdateView)
ROLL_BACK = Verb("roll_back", RollBack, Nothing)
GET_PACKAGES = Verb("get_packages", Nothing, PackagesReply)

FETCH_IMAGE = Verb("fetch_image", ImagePartRequest, ImagePart)

ENGINE_CALLS = (UPDATE, GET_UPDATE, ROLL_BACK, GET_PACKAGES)
"""What the engine calls on the node."""
NODE_CALLS = (FETCH_IMAGE,)
"""What the node calls on the engine."""
