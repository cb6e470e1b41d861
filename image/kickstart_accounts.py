"""What the `rootpw`, `user`, `group` and `sshkey` commands of a kickstart say."""

import base64
import binascii
import re

from image.config import Group, Origin, SshKey, User
from image.kickstart_draft import Arguments, Draft
from image.kickstart_text import Problems

ACCOUNT_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
CRYPT_HASH = re.compile(r"\$[a-z0-9]+\$[^\s:]+")
KEY_TYPE = re.compile(
    r"ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)
LARGEST_ID = 2**32 - 2
HASH_HINT = "--iscrypted with a hash that `openssl passwd -6` prints, or --lock"


def read_rootpw(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take root's password hash; a locked account has none."""
    draft.set_once(origin, "rootpw", _read_password(draft.problems, origin, "rootpw", arguments))


def read_user(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add an account."""
    name = arguments.text("name")
    password = _read_password(draft.problems, origin, "user", arguments)
    if name == "root":
        draft.problems.add(origin, "root is not made with user", "rootpw and sshkey")
    _check_account(draft, origin, "user", name, arguments.number("uid"))
    user = User(
        name=name,
        password=password,
        uid=arguments.number("uid"),
        gid=arguments.number("gid"),
        gecos=arguments.text("gecos"),
        home=arguments.text("homedir"),
        shell=arguments.text("shell"),
        groups=arguments.texts("groups"),
    )
    _check_user(draft.problems, origin, user)
    draft.users.append(user)


def read_group(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add a group."""
    group = Group(arguments.text("name"), arguments.number("gid"))
    _check_account(draft, origin, "group", group.name, group.gid)
    draft.groups.append(group)


def read_sshkey(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add one public key to an account; whether the account exists is seen at the end."""
    key = SshKey(arguments.text("username"), arguments.text("key").strip())
    if not _is_public_key(key.key):
        draft.problems.add(
            origin, "sshkey has no public key", '"TYPE BASE64 COMMENT", a line of an .pub file, in quotes'
        )
    if (key.user, key.key) in {(known.user, known.key) for known in draft.ssh_keys}:
        draft.problems.add(origin, f"sshkey: {key.user} has this key already", "give it once")
    draft.places.setdefault(("sshkey", key.user), origin)
    draft.ssh_keys.append(key)


def _read_password(problems: Problems, origin: Origin, command: str, arguments: Arguments) -> str:
    """Return a crypt(3) hash, or nothing for a locked account; no problem repeats the password."""
    password = arguments.text("password")
    if arguments.is_set("lock"):
        if password or arguments.is_set("isCrypted"):
            problems.add(origin, f"{command} --lock stands beside a password", "one of the two")
        return ""
    if not password:
        if command == "rootpw" or arguments.is_set("isCrypted"):
            problems.add(origin, f"{command} has no password", HASH_HINT)
        return ""
    if not arguments.is_set("isCrypted"):
        problems.add(origin, f"{command} has a plain-text password", HASH_HINT)
    elif not CRYPT_HASH.fullmatch(password):
        problems.add(origin, f"{command} --iscrypted has no hash", "a hash that `openssl passwd -6` prints")
    return password


def _check_account(draft: Draft, origin: Origin, kind: str, name: str, number: int | None) -> None:
    if not ACCOUNT_NAME.fullmatch(name):
        draft.problems.add(
            origin,
            f"{kind} --name={name} is not an account name",
            "lower-case letters, digits, _ and -, at most 32",
        )
    draft.add_name(origin, kind, name)
    if number is not None:
        _check_id(draft.problems, origin, number)
        draft.add_name(origin, f"{kind} number", str(number))


def _check_id(problems: Problems, origin: Origin, number: int) -> None:
    if not 1 <= number <= LARGEST_ID:
        problems.add(origin, f"{number} is not the number of an account", f"1 to {LARGEST_ID}")


def _check_user(problems: Problems, origin: Origin, user: User) -> None:
    if user.gid is not None:
        _check_id(problems, origin, user.gid)
    for option, path in (("--homedir", user.home), ("--shell", user.shell)):
        if path and (not path.startswith("/") or ":" in path):
            problems.add(origin, f"user {option}={path} is not an absolute path", f"{option}=/PATH")
    if ":" in user.gecos:
        problems.add(origin, "user --gecos has a colon", "any text without one")
    for group in user.groups:
        if not ACCOUNT_NAME.fullmatch(group):
            problems.add(origin, f"user --groups has {group!r}, not a group", "--groups=NAME,NAME")


def _is_public_key(text: str) -> bool:
    """Tell whether a text is one OpenSSH public key: its data repeats its type (RFC 4253, section 6.6)."""
    kind, _, rest = text.partition(" ")
    try:
        data = base64.b64decode(rest.partition(" ")[0], validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(KEY_TYPE.fullmatch(kind)) and data[4 : 4 + int.from_bytes(data[:4])] == kind.encode()
