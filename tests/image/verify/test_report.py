"""A node's report is read as far as it came."""

import json

from image.verify.report import JournalLine, parse_report
from tests.image.verify.fake_qemu import error_line, make_report


def test_sound_report_gives_typed_values() -> None:
    """Every answer has its place, in seconds and MiB."""
    report = parse_report(make_report())
    assert report.complete
    assert (report.kernel, report.firmware, report.secure_boot, report.state) == (
        "6.12.117",
        "bios",
        "absent",
        "running",
    )
    assert (report.seconds_to_multi_user, report.seconds_to_prompt, report.seconds_to_libvirt) == (
        20.5,
        19.0,
        26.25,
    )
    assert report.memory_mib == 256
    assert report.kvm_device
    assert report.kvm_domains
    assert report.guest is None
    assert report.journal == "[    1.0] systemd[1]: Welcome\n"


def test_nothing_gives_an_empty_report() -> None:
    """A node that never spoke has said nothing, which is no error of the reader."""
    report = parse_report("")
    assert not report.complete
    assert report.memory_mib is None
    assert report.seconds_to_prompt is None


def test_report_that_broke_off_keeps_whole_lines_only() -> None:
    """Half a line is not an answer."""
    report = parse_report("protocol=1\nkernel=6.12\nstate=runn")
    assert not report.complete
    assert report.kernel == "6.12"
    assert report.state == ""


def test_another_protocol_is_not_complete() -> None:
    """A report in a form of another time is not read as if it were ours."""
    assert not parse_report(make_report(protocol="2")).complete


def test_unit_that_never_was_active_has_no_time() -> None:
    """For such a unit systemd tells 0."""
    assert parse_report(make_report(prompt_microseconds="0")).seconds_to_prompt is None


def test_repeated_answers_are_all_kept() -> None:
    """Two failed units are two."""
    report = parse_report(make_report(more="failed-unit=a.service\nfailed-unit=b.service\n"))
    assert report.failed_units == ("a.service", "b.service")


def test_journal_lines_have_source_and_message() -> None:
    """The unit is the source; a message that is not UTF-8 comes as numbers."""
    binary = json.dumps(
        {
            "PRIORITY": "2",
            "_SYSTEMD_UNIT": "x.service",
            "SYSLOG_IDENTIFIER": "x",
            "MESSAGE": [104, 105, 255],
        }
    )
    report = parse_report(make_report(more=error_line("a = b") + f"error={binary}\n" + "error=no JSON\n"))
    assert report.errors == (
        JournalLine("kernel", 3, "a = b"),
        JournalLine("x.service", 2, "hi\N{REPLACEMENT CHARACTER}"),
        JournalLine("unknown", 3, "no JSON"),
    )


def test_systemd_s_own_lines_are_told_as_systemd_s() -> None:
    """The first process has a unit of its own, whose name tells nobody anything."""
    line = json.dumps(
        {"PRIORITY": "3", "_SYSTEMD_UNIT": "init.scope", "SYSLOG_IDENTIFIER": "systemd", "MESSAGE": "x"}
    )
    assert parse_report(make_report(more=f"error={line}\n")).errors == (JournalLine("systemd", 3, "x"),)


def test_guest_s_console_and_time_are_told() -> None:
    """A guest's run is from its start to its end."""
    more = "guest-start-seconds=30.0\nguest-end-seconds=42.5\nguest-console=hello\nguest-console=world\n"
    guest = parse_report(make_report(more=more)).guest
    assert guest is not None
    assert guest.console == "hello\nworld\n"
    assert guest.seconds == 12.5


def test_guest_that_took_the_node_along_has_no_end() -> None:
    """The report breaks off after the guest's start."""
    guest = parse_report("protocol=1\nguest-start-seconds=30.0\n").guest
    assert guest is not None
    assert guest.seconds is None
