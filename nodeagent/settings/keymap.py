"""The keyboard layout: one line of /etc/vconsole.conf, and the kernel's own table."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.choices import list_keymaps
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted, like, original, override
from nodeagent.tree_files import TreeFiles, text_file

PATH = "etc/vconsole.conf"
BUILT_IN = "us"
"""The layout that the kernel has without any file."""


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the layout in its line, if this image has it; the other lines stay."""
    name = intent.system.keymap
    if name and not is_known(tree, name):
        return
    image = original(tree, PATH)
    others = [line for line in image.text.splitlines() if line.partition("=")[0].strip() != "KEYMAP"]
    text = "".join(f"{line}\n" for line in [*others, f"KEYMAP={name}"])
    state = like(image, text_file(text)) if name else None
    yield from override(tree, PATH, state, f"keyboard layout {name}".rstrip())


def is_known(tree: TreeFiles, name: str) -> bool:
    """Tell whether this image has a layout."""
    return name == BUILT_IN or name in list_keymaps(tree.root)


def read_keymap(tree: TreeFiles) -> str:
    """Return the layout that is set now; empty where none is."""
    lines = [line.partition("=") for line in tree.text(PATH).splitlines()]
    return next((value.strip().strip("\"'") for name, _, value in lines if name.strip() == "KEYMAP"), "")


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Name a layout that this image does not have."""
    name = intent.system.keymap
    if name and not is_known(tree, name):
        yield f"system.keymap: this image does not have the keyboard layout {name}"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Load the layout that the file names now."""
    services.load_keymap(read_keymap(tree) or BUILT_IN)


SETTING = Setting("keymap", wanted, act, missing)
