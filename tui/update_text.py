"""How an update reads: a plan laid out, how the newest one stands, the two images of a way back."""

from nodelib.bus_system import System
from nodelib.bus_update import PackageChange, UpdatePlan, UpdateState, UpdateView
from tui.texts import say, sentence
from tui.units import moment, size
from tui.widgets.pair import bar

UNDER_WAY = (UpdateState.FETCHING, UpdateState.WRITING)


def plan_details(plan: UpdatePlan, *, restart: bool) -> list[tuple[str, str]]:
    """Lay a plan out, first what a person must know before all else."""
    image = say("update.image_text", version=plan.version, build=plan.build_id, system=plan.system)
    slot = "update.slot_replaces" if plan.replaces else "update.slot_empty"
    steps = (
        say("update.step_write", slot=plan.slot),
        say("update.step_now" if restart else "update.step_later"),
        say("update.step_end"),
    )
    return [
        (say("update.in_the_way"), "\n".join(map(sentence, plan.problems))),
        (say("update.warnings"), "\n".join(map(sentence, plan.warnings))),
        (say("update.image"), image),
        (say("update.signed_by"), plan.signed_by),
        (say("update.size"), size(plan.size_bytes) if plan.size_bytes else ""),
        (say("update.slot"), say(slot, slot=plan.slot, version=plan.replaces) if plan.slot else ""),
        (say("update.steps"), "" if plan.problems else "\n".join(steps)),
        (say("update.packages"), "\n".join([count_packages(plan), *map(_package, plan.packages)])),
    ]


def count_packages(plan: UpdatePlan) -> str:
    """Say how many packages differ, and how."""
    if not plan.packages:
        return say("update.packages_same")
    added = sum(not package.before for package in plan.packages)
    gone = sum(not package.after for package in plan.packages)
    changed = len(plan.packages) - added - gone
    return say("update.packages_count", changed=changed, added=added, gone=gone)


def _package(package: PackageChange) -> str:
    if not package.before:
        key = "update.package_added"
    else:
        key = "update.package_changed" if package.after else "update.package_gone"
    return say(key, name=package.name, before=package.before, after=package.after)


def view_text(view: UpdateView) -> str:
    """Say how the newest update stands; nothing where there was none."""
    lines: list[str] = []
    match view.state:
        case UpdateState.FETCHING | UpdateState.WRITING:
            step = view.step or say("update.fetching")
            begun = say("update.begun", version=view.version, slot=view.slot) if view.version else ""
            lines = [
                begun,
                say("update.percent", bar=bar(view.percent / 100), percent=view.percent),
                sentence(step),
            ]
        case UpdateState.READY | UpdateState.KEPT:
            lines = [say(f"update.{view.state}", version=view.version, slot=view.slot)]
        case UpdateState.TRIAL:
            said = say("update.trial", version=view.version, slot=view.slot, tries=view.tries_left)
            lines = [said, *_listed("update.waits", view)]
        case UpdateState.ROLLED_BACK:
            lines = [say("update.rolled_back", version=view.version), *_listed("update.missed", view)]
            lines += [sentence(view.error), sentence(view.hint)]
        case UpdateState.FAILED:
            failed = say("update.failed", version=view.version).removesuffix(": ")
            lines = [failed, sentence(view.error), sentence(view.hint), say("update.failed_nothing")]
    if lines and view.time and view.state not in UNDER_WAY:
        lines.append(say("update.since", time=moment(view.time)))
    return "\n".join(filter(None, lines))


def _listed(key: str, view: UpdateView) -> list[str]:
    lines = [say("update.line", text=text) for text in view.waits_for]
    return [say(key), *lines] if lines else []


def name_images(system: System) -> tuple[str, str]:
    """Name the image that runs and the one that a way back leads to."""
    images = {True: say("update.this_image"), False: say("update.that_image")}
    for slot in system.slots:
        version = slot.version or say("update.version_unknown")
        images[slot.booted] = say("update.version", version=version, slot=slot.name)
    return images[True], images[False]
