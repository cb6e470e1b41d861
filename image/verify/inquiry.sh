#!/bin/sh
# Runs inside the node that is being verified, from a credential: nothing of it is in the image.
# Writes NAME=VALUE lines to a virtio-serial port, then the journal, then `end=`.
# $1: the port; $2: how many seconds the node may take for each answer; $3: `guest` to run a KVM guest as well.
port=$1 patience=$2 guest=$3
images=/var/lib/libvirt/images
payload=/run/virtnode-verify
# udev may still be at work; the verifier has a deadline of its own.
until [ -e "$port" ]; do sleep 1; done
exec 3>"$port"

tell() { printf '%s=%s\n' "$1" "$2" >&3; }
tell_each() { while IFS= read -r line; do tell "$1" "$line"; done; }
libvirt() { timeout "$patience" virsh --quiet --connect qemu:///system "$@" 2>&1; }
entered() { systemctl show --value --property ActiveEnterTimestampMonotonic "$1"; } # microseconds

seconds() {
    read -r uptime _ </proc/uptime
    echo "$uptime"
}

memory() {
    while read -r name kib _; do
        [ "$name" = "$1:" ] && echo "$kib"
    done </proc/meminfo
}

secure_boot() {
    variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
    [ -e "$variable" ] || { echo absent; return; }
    # Four bytes of attributes come before the value.
    [ "$(od -An -tu1 -j4 "$variable" | tr -d ' ')" = 1 ] && echo on || echo off
}

ask_machine() {
    tell kernel "$(uname -r)"
    tell cmdline "$(cat /proc/cmdline)"
    [ -d /sys/firmware/efi ] && tell firmware uefi || tell firmware bios
    tell secure-boot "$(secure_boot)"
}

ask_state() {
    tell state "$(timeout "$patience" systemctl is-system-running --wait)"
    tell settled-seconds "$(seconds)"
    systemctl list-units --failed --plain --no-legend | cut -d' ' -f1 | tell_each failed-unit
    systemctl list-jobs --plain --no-legend | tell_each waiting-job
    tell multi-user-microseconds "$(entered multi-user.target)"
    tell prompt-microseconds "$(entered getty.target)"
    tell memory-total-kib "$(memory MemTotal)"
    tell memory-available-kib "$(memory MemAvailable)"
}

# Asked only once the node has settled: an earlier question would start libvirt before its turn.
ask_libvirt() {
    said=$(libvirt version) && tell libvirt-seconds "$(seconds)" || tell libvirt-error "$(echo "$said" | tr '\n' ' ')"
}

ask_kvm() {
    [ -c /dev/kvm ] && tell kvm-device yes || tell kvm-device no
    libvirt capabilities | grep -q "<domain type='kvm'" && tell kvm-domains yes || tell kvm-domains no
}

run_guest() {
    mkdir -p "$images" "$payload"
    mount -t iso9660 -o ro /dev/disk/by-id/virtio-virtnode-verify "$payload" || return
    cp "$payload/kernel" "$payload/initramfs" "$images" || return
    libvirt create "$payload/domain.xml" || return
    pid=$(cat /run/libvirt/qemu/virtnode-verify.pid) || return 0 # it has ended by now
    timeout "$patience" tail --pid="$pid" -f /dev/null \
        || echo "still running after $patience seconds"
}

ask_guest() {
    tell guest-start-seconds "$(seconds)"
    run_guest 2>&1 | tell_each guest-trouble
    tell guest-end-seconds "$(seconds)"
    tr -d '\r' <"$images/virtnode-verify.log" | tell_each guest-console
}

ask_journal() {
    journalctl --boot --priority err --output json \
        --output-fields PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,MESSAGE | tell_each error
    journalctl --boot --output short-monotonic --no-hostname | tell_each journal
}

tell protocol 1
ask_machine
ask_state
ask_libvirt
ask_kvm
[ "$guest" = guest ] && ask_guest
ask_journal
tell end
