"""The resources, each described once: oVirt's, and what oVirt has no word for."""

from engine.rest.shapes import (
    Field,
    Many,
    Scalar,
    Shape,
    boolean,
    choice,
    decimal,
    integer,
    moment,
    part,
    reference,
    text,
)

HOST_STATUSES = (
    "connecting",
    "down",
    "error",
    "install_failed",
    "installing",
    "maintenance",
    "non_operational",
    "non_responsive",
    "pending_approval",
    "reboot",
    "up",
)
SEVERITIES = ("normal", "warning", "error", "alert")
ROLES = ("metrics", "viewer", "operator", "administrator")


def version(name: str, about: str = "") -> Field:
    """Describe a version: its parts as far as they are numbers, and all of it as text."""
    parts = (integer("major"), integer("minor"), integer("build"), integer("revision"))
    return part(name, *parts, text("full_version"), about=about)


FAULT = Shape(
    "fault",
    (
        text("reason", "In a few words: not-found, conflict."),
        text("detail", "What is wrong, and what can be done about it."),
    ),
    "Why a request was refused.",
)

STATISTIC = Shape(
    "statistic",
    (
        text("name"),
        text("description"),
        choice("kind", ("counter", "gauge")),
        choice("type", ("decimal", "integer", "string")),
        choice("unit", ("bytes", "none", "percent", "seconds")),
        Field("values", Many(Shape("value", (decimal("datum"), text("detail"))), "value")),
        reference("host"),
    ),
    "A figure of a host's last heartbeat.",
    identified=True,
)
STATISTICS = Many(STATISTIC, "statistic", "statistics")

NIC = Shape(
    "host_nic",
    (
        text("name"),
        part("mac", text("address")),
        part("ip", text("address"), text("netmask"), choice("version", ("v4",))),
        part("ipv6", text("address"), text("netmask"), choice("version", ("v6",))),
        integer("mtu"),
        integer("speed", "In bits per second."),
        choice("status", ("up", "down")),
        boolean("bridged"),
        text("base_interface", "The interface that carries this VLAN."),
        part(
            "bonding", Field("slaves", Many(Shape("host_nic", (text("name"),), identified=True), "host_nic"))
        ),
        reference("host"),
    ),
    "A network interface of a host.",
    identified=True,
)
NICS = Many(NIC, "host_nic", "host_nics")

ARCHIVE = Shape(
    "archive",
    (
        integer("size", "In bytes."),
        moment("time", "When it came."),
        reference("host"),
    ),
    "A support archive that a host sent: a .tar.gz without secrets.",
    identified=True,
    links=(("content", "content"),),
)
ARCHIVES = Many(ARCHIVE, "archive", "archives")

LOGICAL_UNIT = Shape(
    "logical_unit",
    (
        text("address"),
        text("product_id"),
        text("serial"),
        integer("size", "In bytes."),
        choice("status", ("free", "used")),
        integer("paths"),
    ),
    identified=True,
)
STORAGE = Shape(
    "host_storage",
    (
        text("name"),
        text("description", "What is on it."),
        text("path", "The name that stays: below /dev/disk/by-path."),
        choice("type", ("localfs",)),
        Field("logical_units", Many(LOGICAL_UNIT, "logical_unit")),
        reference("host"),
    ),
    "A disk that a host sees.",
    identified=True,
)
STORAGES = Many(STORAGE, "host_storage", "host_storages")

DATA_CENTER = Shape(
    "data_center",
    (
        text("name"),
        text("description"),
        boolean("local"),
        choice("status", ("up", "not_operational", "uninitialized")),
        version("version"),
    ),
    "A data centre: there is one.",
    identified=True,
    links=(("clusters", "clusters"),),
    search={name: (name,) for name in ("name", "description", "status")},
)
DATA_CENTERS = Many(DATA_CENTER, "data_center", "data_centers")

ROLL_STATES = ("none", "running", "stopping", "done", "stopped", "failed")
ROLL = Shape(
    "roll",
    (
        choice("state", ROLL_STATES),
        text("reason", "Why it stands so: the host that failed, and its reason."),
        text("version", "Of the image."),
        text("build"),
        integer("percent"),
        moment("started"),
        moment("finished"),
        text("correlation_id"),
        Field(
            "hosts",
            Many(
                Shape(
                    "host",
                    (
                        text("name"),
                        choice("state", ("waiting", "updating", "kept", "skipped", "failed")),
                        text("reason"),
                    ),
                    identified=True,
                ),
                "host",
            ),
        ),
        reference("cluster"),
    ),
    "The update of a cluster's hosts, one after the other, in this order.",
    identified=True,
)

UPDATE_PHASES = ("ordering", "installing", "rebooting", "trial", "kept", "rolled-back", "failed")
HOST_UPDATES = Shape(
    "host_updates",
    (
        text("installed_version", "What the host runs, as it says."),
        text("installed_build"),
        boolean("update_available"),
        text("available_version", "Of the newest image that fits, or of the one that was asked for."),
        text("available_build"),
        text("available_digest"),
        text("system"),
        integer("size", "In bytes."),
        Field(
            "packages",
            Many(Shape("package", (text("name"), text("before"), text("after"))), "package"),
            "What would change; empty where it is absent.",
        ),
        part(
            "last",
            choice("phase", UPDATE_PHASES),
            text("version"),
            text("build"),
            text("reason"),
            text("action", "The one thing to do next."),
            moment("started"),
            moment("since"),
            moment("deadline", "When it counts as failed."),
            text("correlation_id"),
            about="How its newest update stands.",
        ),
        reference("host"),
    ),
    "What a host runs and could run.",
    identified=True,
)

CLUSTER = Shape(
    "cluster",
    (
        text("name"),
        text("description"),
        boolean("virt_service"),
        boolean("gluster_service"),
        part("cpu", choice("architecture", ("x86_64", "aarch64", "undefined")), text("type")),
        version("version"),
        boolean("upgrade_in_progress"),
        integer("upgrade_percent_complete"),
        text("upgrade_correlation_id"),
        reference("data_center", text("name")),
    ),
    "Hosts that guests can move between.",
    identified=True,
    links=(("roll", "roll"),),
    actions=("upgrade",),
    search={
        "name": ("name",),
        "description": ("description",),
        "datacenter": ("data_center", "name"),
        "data_center": ("data_center", "name"),
    },
)
CLUSTERS = Many(CLUSTER, "cluster", "clusters")

RUNG = Shape(
    "rung",
    (
        text("step", "link, address, gateway and so on."),
        choice("state", ("ok", "failing", "waiting")),
        text("text", "What was found."),
        text("hint", "What can be done about it."),
        moment("since"),
    ),
)
VIRTNODE = Shape(
    "virtnode",
    (
        text("state", "The state of the node in the engine's own words."),
        text("reason"),
        text("action", "The one thing to do next."),
        moment("since"),
        text("approval_code", "What the node's console shows as well."),
        text("fingerprint", "Of the node's key."),
        text("approved_by"),
        moment("certificate_expires"),
        moment("last_seen"),
        text("last_error"),
        boolean("connected"),
        text("build_id"),
        Field("ladder", Many(RUNG, "rung"), "What must hold for the node to be joined, step by step."),
        Field("problems", Many(Scalar.TEXT, "problem"), "What the node says is wrong with it."),
        reference("host"),
    ),
    "What oVirt has no word for.",
    identified=True,
)

HOST = Shape(
    "host",
    (
        text("name"),
        text("comment"),
        text("address", "Where the node last dialled from."),
        choice("status", HOST_STATUSES),
        text("status_detail", "Why it has this status."),
        choice("external_status", ("ok", "warning", "error")),
        choice("type", ("ovirt_node",)),
        part(
            "cpu",
            text("name"),
            choice("architecture", ("x86_64", "aarch64", "undefined")),
            text("type", "The processor model that guests are given."),
            part("topology", integer("sockets"), integer("cores"), integer("threads")),
        ),
        integer("memory", "In bytes."),
        integer("max_scheduling_memory", "Bytes that are available to guests."),
        part(
            "hardware_information",
            text("manufacturer"),
            text("product_name"),
            text("serial_number"),
            text("uuid"),
        ),
        part("os", text("type"), version("version", "The kernel's."), text("custom_kernel_cmdline")),
        version("libvirt_version"),
        version("version", "The image's."),
        part("device_passthrough", boolean("enabled")),
        boolean("numa_supported"),
        part(
            "power_management",
            boolean("enabled"),
            boolean("kdump_detection"),
            about="There is none; clients count on being told so.",
        ),
        part(
            "spm",
            choice("status", ("none",)),
            integer("priority"),
            about="Storage has no master; clients count on being told so.",
        ),
        boolean("update_available", "A newer image that fits is here."),
        part("summary", integer("active"), integer("total"), about="Guests."),
        Field("certificate", Shape("certificate", (text("organization"), text("subject"))), on_request=True),
        Field("cluster", CLUSTER),
        Field("nics", NICS, link="nics"),
        Field("statistics", STATISTICS, link="statistics"),
        Field("storages", STORAGES, link="storage"),
    ),
    "A node.",
    identified=True,
    links=(("virtnode", "virtnode"), ("archives", "archives"), ("updates", "updates")),
    actions=("approve", "reject", "activate", "deactivate", "fence", "upgradecheck", "upgrade"),
    search={
        "name": ("name",),
        "comment": ("comment",),
        "status": ("status",),
        "address": ("address",),
        "cluster": ("cluster", "name"),
        "datacenter": ("cluster", "data_center", "name"),
        "type": ("type",),
        "memory": ("memory",),
        "cpus": ("cpu", "topology", "sockets"),
        "cpu_model": ("cpu", "name"),
        "active_vms": ("summary", "active"),
        "version": ("version", "full_version"),
        "hw_id": ("hardware_information", "uuid"),
        "serial": ("hardware_information", "serial_number"),
    },
)
HOSTS = Many(HOST, "host", "hosts")

USER = Shape(
    "user",
    (
        text("name"),
        text("user_name", "Name and domain."),
        text("principal"),
        text("namespace"),
        part("domain", text("name")),
        Field("roles", Many(Shape("role", (text("name"),), identified=True), "role")),
    ),
    "Who may use the engine.",
    identified=True,
    search={"name": ("name",), "usrname": ("user_name",), "user_name": ("user_name",)},
)
USERS = Many(USER, "user", "users")

EVENT = Shape(
    "event",
    (
        text("description"),
        integer("code"),
        choice("severity", SEVERITIES),
        moment("time"),
        text("correlation_id"),
        text("origin"),
        integer("index"),
        text("comment", "The kind of event: node-approved, login."),
        text("custom_data", "What was before, what is after, and who did it on the node, as JSON."),
        Field("host", Shape("host", (text("name"),), identified=True)),
        Field("user", Shape("user", (text("user_name"),), identified=True)),
    ),
    "Something that happened.",
    identified=True,
    search={
        "severity": ("severity",),
        "time": ("time",),
        "message": ("description",),
        "description": ("description",),
        "correlation_id": ("correlation_id",),
        "origin": ("origin",),
        "type": ("comment",),
        "host": ("host", "name"),
        "host.name": ("host", "name"),
        "user": ("user", "user_name"),
        "index": ("index",),
    },
)
EVENTS = Many(EVENT, "event", "events")

ACTION = Shape(
    "action",
    (
        choice("status", ("complete", "failed")),
        text(
            "reason",
            "For reject and deactivate: why; the log keeps it, and a node that is rejected shows it.",
        ),
        boolean("async", "Accepted and without effect: an action is done when it is answered."),
        boolean("force", "Accepted and without effect."),
        reference("cluster", text("name"), about="For approve: where the node belongs."),
        text("approval_code", "For approve: refused unless it is the node's."),
        choice("fence_type", ("restart",), "For fence: what to do; a host reboots by itself."),
        text("image", "For upgrade: version, build or digest; the newest that fits without it."),
        boolean("reboot", "Accepted and without effect: a host restarts into what it was updated to."),
        integer("timeout", "For upgrade of a host: minutes that it may take."),
        boolean("stop_guests", "For upgrade: shut virtual machines down that still run there."),
        choice(
            "upgrade_action",
            ("start", "finish", "update_progress"),
            "For upgrade of a cluster; update_progress changes nothing, for the engine counts by itself.",
        ),
        integer("upgrade_percent_complete", "Accepted and without effect."),
        text("correlation_id", "For upgrade of a cluster: kept with all events that it causes."),
        boolean("replace", "For approve: take over the node whose hardware this one claims."),
        Field("fault", FAULT),
    ),
    "What is asked of a resource, and what became of it.",
    identified=True,
)

_ROOT_LINKS = tuple(
    link
    for name in ("clusters", "datacenters", "events", "hosts", "users")
    for link in ((name, name), (f"{name}/search", f"{name}?search={{query}}"))
)
API = Shape(
    "api",
    (
        part(
            "product_info",
            text("name"),
            text("vendor"),
            text("instance_id"),
            version("version", "Of oVirt's interface that this is like."),
            text("virtnode_version"),
        ),
        part(
            "summary",
            *(part(name, integer("active"), integer("total")) for name in ("hosts", "users", "vms")),
        ),
        moment("time"),
        Field("authenticated_user", Shape("user", (text("user_name"),), identified=True)),
        Field("effective_user", Shape("user", (text("user_name"),), identified=True)),
    ),
    "Where everything begins.",
    identified=True,
    links=_ROOT_LINKS,
)

RESOURCES = (
    ACTION, API, ARCHIVE, CLUSTER, DATA_CENTER, EVENT, FAULT, HOST, HOST_UPDATES, NIC, ROLL, STATISTIC,
    STORAGE, USER, VIRTNODE,
)  # fmt: skip
"""Each has a name of its own in the OpenAPI document."""
