"""Templates render, split and expand as lorax does it, and every mistake is found before anything runs."""

from pathlib import Path

import pytest

from image.template import Rule, expand_braces, load_template
from nodelib.errors import InvalidInput

VARIABLES = {"basearch": "x86_64", "libdir": "lib64", "root": "/tree"}


def write(tmp_path: Path, text: str) -> Path:
    """Write a template."""
    template = tmp_path / "node.tmpl"
    template.write_text(text)
    return template


def load(tmp_path: Path, text: str) -> tuple[Rule, ...]:
    """Load a template of this text."""
    return load_template(write(tmp_path, text), VARIABLES)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """Load a bad template and give its problems, without the folder's name."""
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path, text)
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_words_are_split_and_expanded(tmp_path: Path) -> None:
    """Quotes group, braces multiply, a comment line of either kind is dropped."""
    rules = load(tmp_path, "## mako's\n# lorax's\nremove '/a b' /usr/{s,}bin/x\n\n  -removepkg perl*\n")
    assert [(rule.command, rule.arguments, rule.tolerant) for rule in rules] == [
        ("remove", ("/a b", "/usr/sbin/x", "/usr/bin/x"), False),
        ("removepkg", ("perl*",), True),
    ]


def test_conditions_variables_and_continuation(tmp_path: Path) -> None:
    """Mako's control lines choose, variables fill in, and a rule keeps the line it starts on."""
    text = (
        '<%page args="basearch, libdir"/>\n'
        '%if basearch == "x86_64":\n'
        "removefrom glibc --allbut \\\n"
        "    /usr/${libdir}/libc.so.6\n"
        "%else:\n"
        "remove /never\n"
        "%endif\n"
        "%for name in ('a', 'b'):\n"
        "remove /${name}\n"
        "%endfor\n"
        "remove /end\n"
    )
    assert [(rule.origin.line, str(rule)) for rule in load(tmp_path, text)] == [
        (3, "removefrom glibc --allbut /usr/lib64/libc.so.6"),
        (9, "remove /a"),
        (9, "remove /b"),
        (11, "remove /end"),
    ]


def test_an_include_keeps_its_own_file_and_line(tmp_path: Path) -> None:
    """A rule of an included file says where it was written."""
    (tmp_path / "shared.tmpl").write_text("\nremove /shared\n")
    rules = load(tmp_path, 'remove /first\n<%include file="shared.tmpl"/>\nremove /last\n')
    assert [f"{rule.origin.file.name}:{rule.origin.line} {rule}" for rule in rules] == [
        "node.tmpl:1 remove /first",
        "shared.tmpl:2 remove /shared",
        "node.tmpl:3 remove /last",
    ]


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("plain", ["plain"]),
        ("{alone}", ["{alone}"]),
        ("a{b,c}d", ["abd", "acd"]),
        ("{a,b}{1,2}", ["a1", "a2", "b1", "b2"]),
        ("{a,b{c,d}}", ["a", "bc", "a", "bd"]),
        ("x{,y}", ["x", "xy"]),
        ("${a}b,c", ["$ab,c"]),
    ],
)
def test_brace_expansion(word: str, expanded: list[str]) -> None:
    """Innermost braces go first, and braces without a comma of their own are dropped, as in lorax."""
    assert expand_braces(word) == expanded


def test_every_bad_line_is_reported_at_once(tmp_path: Path) -> None:
    """One run lists all problems, each with file and line."""
    text = (
        "removepk perl\n"
        "remove /fine\n"
        "frobnicate\n"
        'remove "/open\n'
        "remove /\n"
        "remove /usr/../../etc\n"
        "remove /usr/share/doc # documentation\n"
        "removefrom bash\n"
        "removefrom bash usr/bin/x\n"
        "removefrom bash --allbut\n"
        "removekmod --allbut virtio\n"
        "append /etc/motd\n"
        "systemctl start sshd.service\n"
        "remove /a}{b,\n"
    )
    removals = "remove, removefrom, removekmod, removepkg"
    allowed = f"allowed are append, install, mkdir, move, {removals}, symlink, systemctl"
    assert problems_of(tmp_path, text) == [
        f"node.tmpl:1: unknown command 'removepk', did you mean 'removepkg'? {allowed}",
        f"node.tmpl:3: unknown command 'frobnicate'; {allowed}",
        "node.tmpl:4: No closing quotation",
        "node.tmpl:5: '/' is the whole tree",
        "node.tmpl:6: '/usr/../../etc' has a '..', which could lead out of the tree",
        "node.tmpl:7: a comment needs a line of its own: here '#' is one more argument",
        "node.tmpl:8: expected removefrom PKGGLOB [--allbut] FILEGLOB...",
        "node.tmpl:9: 'usr/bin/x' matches no file: the paths of a package begin with '/'",
        "node.tmpl:10: expected removefrom PKGGLOB [--allbut] FILEGLOB...",
        "node.tmpl:11: expected removekmod GLOB... [--allbut KEEPGLOB...]",
        "node.tmpl:12: expected append FILE STRING",
        "node.tmpl:13: expected systemctl enable|disable|mask UNIT...",
        "node.tmpl:14: unbalanced braces in '/a}{b,'",
    ]


def test_a_mako_error_is_one_line(tmp_path: Path) -> None:
    """A control line that is never closed is told with its place."""
    (problem,) = problems_of(tmp_path, "remove /a\n%if basearch\nremove /b\n%endif\n")
    assert problem.startswith("node.tmpl:2: ")
    assert "\n" not in problem


def test_an_unknown_variable_is_named(tmp_path: Path) -> None:
    """What lorax would pass and we do not is an error, never an empty string."""
    assert problems_of(tmp_path, "remove /a\nremove /${libdri}\n") == [
        "node.tmpl:2: 'libdri' is not defined; a template here knows basearch, libdir, root"
    ]


def test_failing_python_in_a_template_is_an_input_error(tmp_path: Path) -> None:
    """An exception of the template's own Python does not pass for a bug of ours."""
    assert problems_of(tmp_path, "remove /${1 // 0}\n") == [
        "node.tmpl: ZeroDivisionError: integer division or modulo by zero"
    ]


def test_a_missing_template_is_an_input_error(tmp_path: Path) -> None:
    """The path that is not there is named."""
    with pytest.raises(InvalidInput, match="there is no such template"):
        load_template(tmp_path / "absent.tmpl", VARIABLES)
