"""All that can be asked of the engine, and who may."""

from engine.accounts import Role
from engine.rest import archives, eventlog, hosts, places, root, sso, updates, users
from engine.rest.endpoint import API_PATH, Call, Endpoint, Handler, Parameter, Plain
from engine.rest.openapi import make_openapi
from engine.rest.resources import (
    ACTION,
    API,
    ARCHIVE,
    ARCHIVES,
    CLUSTER,
    CLUSTERS,
    DATA_CENTER,
    DATA_CENTERS,
    EVENT,
    EVENTS,
    HOST,
    HOST_UPDATES,
    HOSTS,
    NIC,
    NICS,
    ROLL,
    STATISTIC,
    STATISTICS,
    STORAGE,
    STORAGES,
    USER,
    USERS,
    VIRTNODE,
)
from engine.rest.shapes import Choice, Many, Scalar, Shape

SEARCH = Parameter("search", Scalar.TEXT, "A question in oVirt's search language.")
CASE = Parameter("case_sensitive", Scalar.BOOLEAN, "Whether a search tells capitals apart; true without.")
MAX = Parameter("max", Scalar.INTEGER, "The most that are listed.", least=0)
FROM = Parameter("from", Scalar.INTEGER, "List what has a greater number.", least=0)
FOLLOW = Parameter(
    "follow", Scalar.TEXT, "What to show instead of a link: nics, statistics, storages, cluster; with commas."
)
ALL_CONTENT = Parameter("all_content", Scalar.BOOLEAN, "Show the certificate as well.")
IMAGE = Parameter("image", Scalar.TEXT, "Version, build or digest; the newest that fits without it.")
FORCE = Parameter("force", Scalar.BOOLEAN, "Accepted and without effect: a host is removed whatever it does.")

SSO_PATH = "/ovirt-engine/sso/oauth/token"
LOGOUT_PATH = "/ovirt-engine/services/sso-logout"
PKI_PATH = "/ovirt-engine/services/pki-resource"
METRICS_PATH = "/metrics"
JSON = "application/json"


async def get_openapi(call: Call) -> Plain:
    """Describe all this for programs."""
    return root.json_answer(make_openapi(ENDPOINTS, call.services.version))


def _reader(
    path: str, handler: Handler, reply: Shape | Many, *parameters: Parameter, role: Role = Role.VIEWER
) -> Endpoint:
    return Endpoint("GET", API_PATH + path, role, handler, (handler.__doc__ or "").strip(), reply, parameters)


def _action(name: str, handler: Handler, collection: str = "hosts") -> Endpoint:
    about = (handler.__doc__ or "").strip()
    return Endpoint(
        "POST", f"{API_PATH}/{collection}/{{id}}/{name}", Role.OPERATOR, handler, about, ACTION, body=ACTION
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    _reader("", root.get_api, API),
    _reader("/hosts", hosts.list_hosts, HOSTS, SEARCH, CASE, MAX, FOLLOW, ALL_CONTENT),
    _reader("/hosts/{id}", hosts.get_host, HOST, FOLLOW, ALL_CONTENT),
    Endpoint(
        "DELETE",
        f"{API_PATH}/hosts/{{id}}",
        Role.ADMINISTRATOR,
        hosts.remove_host,
        "Forget a host: its certificate is worthless from then on.",
        ACTION,
        (FORCE,),
    ),
    _action("approve", hosts.approve_host),
    _action("reject", hosts.reject_host),
    _action("activate", hosts.activate_host),
    _action("deactivate", hosts.deactivate_host),
    _action("fence", hosts.fence_host),
    _action("upgradecheck", updates.check_host),
    _action("upgrade", updates.upgrade_host),
    _reader("/hosts/{id}/updates", updates.get_updates, HOST_UPDATES, IMAGE),
    _reader("/hosts/{id}/virtnode", hosts.get_virtnode, VIRTNODE),
    _reader("/hosts/{id}/nics", hosts.list_nics, NICS, MAX),
    _reader("/hosts/{id}/nics/{part}", hosts.get_nic, NIC),
    _reader("/hosts/{id}/statistics", hosts.list_statistics, STATISTICS, MAX),
    _reader("/hosts/{id}/statistics/{part}", hosts.get_statistic, STATISTIC),
    _reader("/hosts/{id}/storage", hosts.list_storage, STORAGES, MAX),
    _reader("/hosts/{id}/storage/{part}", hosts.get_storage, STORAGE),
    _reader("/hosts/{id}/archives", archives.list_archives, ARCHIVES, MAX, role=Role.OPERATOR),
    _reader("/hosts/{id}/archives/{part}", archives.get_archive, ARCHIVE, role=Role.OPERATOR),
    Endpoint(
        "GET",
        f"{API_PATH}/hosts/{{id}}/archives/{{part}}/content",
        Role.OPERATOR,
        archives.get_archive_content,
        "Hand out a support archive.",
        media_type=archives.GZIP,
    ),
    Endpoint(
        "DELETE",
        f"{API_PATH}/hosts/{{id}}/archives/{{part}}",
        Role.ADMINISTRATOR,
        archives.remove_archive,
        "Remove a support archive.",
        ACTION,
    ),
    _reader("/clusters", places.list_clusters, CLUSTERS, SEARCH, CASE, MAX),
    _reader("/clusters/{id}", places.get_cluster, CLUSTER),
    _action("upgrade", updates.upgrade_cluster, "clusters"),
    _reader("/clusters/{id}/roll", updates.get_roll, ROLL),
    _reader("/datacenters", places.list_data_centers, DATA_CENTERS, SEARCH, CASE, MAX),
    _reader("/datacenters/{id}", places.get_data_center, DATA_CENTER),
    _reader("/datacenters/{id}/clusters", places.list_clusters_of, CLUSTERS, MAX),
    _reader("/events", eventlog.list_events, EVENTS, SEARCH, CASE, MAX, FROM),
    _reader("/events/{id}", eventlog.get_event, EVENT),
    _reader("/users", users.list_users, USERS, SEARCH, CASE, MAX, role=Role.ADMINISTRATOR),
    _reader("/users/{id}", users.get_user, USER, role=Role.ADMINISTRATOR),
    Endpoint(
        "GET",
        f"{API_PATH}/openapi.json",
        Role.VIEWER,
        get_openapi,
        "Describe all this for programs.",
        media_type=JSON,
    ),
    Endpoint(
        "POST",
        SSO_PATH,
        None,
        sso.open_session,
        "Exchange a name and a password for a session's token.",
        form=("grant_type", "scope", "username", "password"),
        media_type=JSON,
    ),
    Endpoint(
        "POST",
        LOGOUT_PATH,
        None,
        sso.close_session,
        "End a session.",
        form=("scope", "token"),
        media_type=JSON,
    ),
    Endpoint(
        "GET",
        PKI_PATH,
        None,
        root.get_pki_resource,
        "Hand out the CA's certificates.",
        parameters=(
            Parameter("resource", Choice(("ca-certificate",)), "What is asked for.", required=True),
            Parameter("format", Choice(root.CA_FORMATS), "How it is to be written."),
        ),
        media_type="application/x-x509-ca-cert",
    ),
    Endpoint(
        "GET",
        METRICS_PATH,
        Role.METRICS,
        root.get_metrics,
        "Write figures for Prometheus.",
        media_type="text/plain",
    ),
)
