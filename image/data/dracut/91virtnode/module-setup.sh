#!/bin/bash
# Keeps the initramfs's kernel modules for the node: the root leaves them out, so that they are on the medium once.

check() {
    return 255
}

depends() {
    echo dmsquash-live
}

install() {
    inst_multiple cp mkdir uname
    inst_hook pre-pivot 50 "$moddir/keep-modules.sh"
    inst_hook pre-pivot 51 "$moddir/keep-config.sh"
}
