"""Times and sizes as people say them."""

import time

from tui.texts import say


def duration(seconds: float) -> str:
    """Say how long, in no more than two units."""
    minutes = int(seconds // 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return say("frame.days", days=days, hours=hours % 24)
    if hours:
        return say("frame.hours", hours=hours, minutes=minutes % 60)
    return say("frame.minutes", minutes=minutes)


def moment(seconds: float) -> str:
    """Say when, the same in every zone; nothing for no time."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)) if seconds else ""


def disk_size(count: int) -> str:
    """Say how large a disk is, as its maker does: in powers of ten."""
    gigabytes = count / 1e9
    if gigabytes >= 1000:
        return f"{gigabytes / 1e3:.1f} TB"
    return f"{gigabytes:.1f} GB" if gigabytes < 100 else f"{gigabytes:.0f} GB"


def size(count: int) -> str:
    """Say how many bytes, in the largest unit that fits."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
    while amount >= 1024 * 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    amount /= 1024
    return f"{amount:.1f} {units[0]}" if amount < 100 else f"{amount:.0f} {units[0]}"
