"""How an installation reads: a disk as a row, its details, a plan laid out, how far it is."""

from nodelib.bus_install import InstallDisk, InstallPlan, InstallProgress, InstallState, InstallView
from nodelib.install_others import NODE, is_leftover
from nodelib.install_rules import describe_disk
from tui.details import shorten
from tui.texts import say, sentence
from tui.units import disk_size, moment, size
from tui.widgets.pair import bar

LONGEST_NAME = 20
COLUMNS = ("name", "kind", "size", "target", "holds")


def column_names() -> list[str]:
    """Name the table's columns."""
    return [say(f"install.column_{name}") for name in COLUMNS]


def guarded_names(disk: InstallDisk) -> tuple[str, ...]:
    """Name what of a disk is destroyed only if a person says its name."""
    # The node that is installed is confirmed by the serial number.
    return tuple(name for name in disk.treasures if name != NODE and not is_leftover(disk, name))


def guarded_by_plan(plan: InstallPlan) -> tuple[str, ...]:
    """Name what of all disks of a plan is destroyed only if a person says its name."""
    disks = (plan.disk, *((plan.mirror,) if plan.mirror else ()), *plan.data)
    return tuple(dict.fromkeys(name for disk in disks for name in guarded_names(disk)))


def names_guarded(plan: InstallPlan) -> bool:
    """Tell whether something in the way of a plan is gone once its name is switched on."""
    return any(name in problem for name in guarded_by_plan(plan) for problem in plan.problems)


def disk_row(disk: InstallDisk, view: InstallView) -> list[str]:
    """Write a disk as a row."""
    if view.problem or disk.refusals:
        target = "install.target_no"
    elif guarded_names(disk):
        target = "install.target_guarded"
    else:
        target = "install.target_erases" if disk.holds else "install.target_yes"
    kind = disk.bus or say("install.kind_disk")
    return [shorten(disk.name, LONGEST_NAME), kind, disk_size(disk.size_bytes), say(target), _content(disk)]


def _content(disk: InstallDisk) -> str:
    if disk.unfinished:
        return say("install.unfinished")
    return disk.installed or ", ".join(disk.systems or disk.holds) or say("install.empty")


def disk_details(disk: InstallDisk) -> list[tuple[str, str]]:
    """List what is known of a disk, first what stands against it."""
    kind = say("install.rotating" if disk.rotational else "install.solid", bus=disk.bus or disk.name)
    guarded = [say("install.guarded_by_name", name=name) for name in guarded_names(disk)]
    return [
        (say("install.refused"), "\n".join(map(sentence, disk.refusals))),
        (say("install.model"), disk.model),
        (say("install.serial"), disk.serial or say("install.no_serial")),
        (say("install.type"), kind),
        (say("install.installed"), say("install.unfinished") if disk.unfinished else disk.installed),
        (say("install.guarded"), "\n".join(guarded)),
        (say("install.systems"), ", ".join(disk.systems)),
        (say("install.mounted"), moment(disk.last_mounted)),
        (say("install.holds"), "\n".join(disk.holds) or say("install.empty")),
        (say("install.place"), disk.path),
    ]


def plan_details(plan: InstallPlan) -> list[tuple[str, str]]:
    """Lay a plan out, first what a person must know before all else."""
    regions = [
        say("install.region", name=region.name, size=size(region.size_bytes), content=region.content)
        for region in plan.regions
    ]
    named = f"{describe_disk(plan.disk)}: "
    steps = [say("install.numbered", number=number, text=text) for number, text in enumerate(plan.steps, 1)]
    return [
        (
            say("install.in_the_way"),
            "\n".join(sentence(problem.removeprefix(named)) for problem in plan.problems),
        ),
        (say("install.disk"), describe_disk(plan.disk)),
        (say("install.mirror"), describe_disk(plan.mirror) if plan.mirror else ""),
        (say("install.data_disks"), "\n".join(map(describe_disk, plan.data))),
        (say("install.is_lost"), "\n".join(plan.erased)),
        (say("install.warnings"), "\n".join(map(sentence, plan.warnings))),
        (say("install.mounted"), moment(plan.disk.last_mounted)),
        (say("install.place"), plan.disk.path),
        (say("install.will_be"), "\n".join(regions)),
        (say("install.steps"), "\n".join(steps)),
    ]


def progress_details(progress: InstallProgress) -> list[tuple[str, str]]:
    """Say how an installation stands; nothing where there was none."""
    percent = say("install.percent", bar=bar(progress.percent / 100), percent=progress.percent)
    match progress.state:
        case InstallState.RUNNING:
            return [
                (say("install.installing"), progress.disk),
                (say("install.done_so_far"), percent),
                (say("install.step"), progress.step),
            ]
        case InstallState.SUCCEEDED:
            return [(say("install.succeeded"), progress.disk), (say("install.next"), next_steps(progress))]
        case InstallState.FAILED:
            where = say("install.where", percent=progress.percent, step=progress.step)
            return [
                (say("install.failed"), sentence(progress.error)),
                (say("install.failed_at"), where if progress.step else ""),
                (say("install.next"), sentence(progress.hint)),
            ]
    return [
        (say("install.told"), sentence(progress.step)),
        (say("install.next"), sentence(progress.hint) if progress.hint else ""),
    ]


def next_steps(progress: InstallProgress) -> str:
    """Say what comes after an installation."""
    return "\n".join(filter(None, (sentence(progress.hint), say("install.network_next"))))
