#!/bin/sh
# Build a node image, or run the tests:  ./build.sh [KICKSTART] [OPTIONS]   |   ./build.sh test [PYTEST OPTIONS]
# As root on Debian, Ubuntu or Fedora. Installs the host tools it lacks, makes the Python environment that
# pyproject.toml describes, and hands over to virtnode-image.
set -eu
cd "$(dirname "$0")"

cache=$(realpath -m "${VIRTNODE_CACHE:-/var/cache/virtnode}")

say() { echo "build.sh: $*" >&2; }

install_packages() {
    [ $# -gt 0 ] || return 0
    say "installing $*"
    if command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    elif command -v dnf >/dev/null; then
        dnf install -y -q --setopt=install_weak_deps=False "$@" >/dev/null
    else
        say "neither apt-get nor dnf is here; virtnode-image doctor lists what to install"
    fi
}

if [ "$(id -u)" != 0 ]; then
    say "needs root: it installs packages and builds a root file system; run it with sudo"
    exit 1
fi

# Python 3.11 or newer with venv: the only thing needed before virtnode-image itself can say what is missing. The
# distribution's own, for the bindings that distributions alone have are its: D-Bus, libvirt, augeas.
python=/usr/bin/python3
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    install_packages python3 $(command -v apt-get >/dev/null && echo python3-venv)
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "needs Python 3.11 or newer, and $python is $("$python" --version)"
    exit 1
}

purpose="any $(. /etc/os-release; case " $ID ${ID_LIKE:-} " in *fedora*|*rhel*) echo fedora ;; *) echo debian ;; esac)"
case " $* " in *fedora*.ks*) purpose="any fedora" ;; *debian*.ks*) purpose="any debian" ;; esac
[ "${1:-}" != test ] || purpose="any debian fedora test"

# One environment for each content of pyproject.toml, outside the checkout.
venv=$cache/venv-$( (cat pyproject.toml; pwd; "$python" --version) | sha256sum | cut -c1-16)
make_environment() {
    [ ! -e "$venv/$1" ] || return 0
    say "making the Python environment in $venv"
    "$python" -m venv --system-site-packages "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --editable ".$2"
    touch "$venv/$1"
}
make_environment ready ""

PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE
install_packages $("$venv/bin/virtnode-image" doctor --packages $purpose)

if [ "${1:-}" = test ]; then
    make_environment ready-to-test "[test]"
    shift
    # A worker that dies ends the run: the tests that it leaves behind may be waited for without end.
    pytest() { "$venv/bin/python" -m pytest -n 2 --dist loadgroup --max-worker-restart 0 --instafail "$@"; }
    [ $# = 0 ] || { pytest "$@"; exit; }
    # What is quick comes first, with more workers than processors, for it waits more than it works. Then one build,
    # which is booted as every medium, and once more the same with a compression that an emulated machine undoes
    # sooner, for what is told of a node once it has started. What builds again, or starts two machines itself
    # (`alone`), comes last: an emulated machine beside a compressor misses its time limits.
    status=0
    pytest -m "not vm" -n 4 --timeout 900 || status=1
    scratch=$(mktemp -d /var/tmp/virtnode-test-XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
    "$venv/bin/virtnode-image" build --cache "$cache" --out "$scratch/release" || exit 1
    "$venv/bin/virtnode-image" build --cache "$cache" --out "$scratch/dev" --profile dev || exit 1
    export VIRTNODE_ARTEFACTS="$scratch/release" VIRTNODE_QUICK_ARTEFACTS="$scratch/dev" VIRTNODE_CACHE="$cache"
    pytest -v --durations=0 --durations-min=5 -m "vm and not alone and not thorough" || status=1
    pytest -v --durations=0 --durations-min=5 -m "vm and alone and not thorough" -n 1 || status=1
    exit $status
fi
exec "$venv/bin/virtnode-image" build --cache "$cache" "$@"
