"""The list of allowed lines is narrow, and each entry says why it is there."""

from image.verify.allowed import load_allowed_lines, unexpected_lines
from image.verify.report import JournalLine


def test_every_entry_has_a_reason() -> None:
    """A line is allowed for a reason, or not at all."""
    assert all(len(line.reason) > 20 for line in load_allowed_lines())


def test_no_entry_allows_everything() -> None:
    """A pattern that matches any text would hide real faults."""
    arbitrary = JournalLine("kernel", 3, "some text that nobody thought of")
    assert unexpected_lines((arbitrary,), load_allowed_lines()) == (arbitrary,)


def test_a_stall_is_forgiven_to_emulation_alone() -> None:
    """A real processor that stands still is a fault."""
    said = (
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "rcu: \t(detected by 0, t=5264 jiffies, g=33505, q=19 ncpus=1)",
        "rcu: rcu_preempt kthread starved for 5264 jiffies! g33505 f0x2 RCU_GP_WAIT_FQS(5) ->cpu=0",
        "rcu: \tUnless rcu_preempt kthread gets sufficient CPU time, OOM is now expected behavior.",
        "rcu: RCU grace-period kthread stack dump:",
    )
    lines = tuple(JournalLine("kernel", 3, text) for text in said)
    assert unexpected_lines(lines, load_allowed_lines(emulated=True)) == ()
    assert unexpected_lines(lines, load_allowed_lines()) == lines
