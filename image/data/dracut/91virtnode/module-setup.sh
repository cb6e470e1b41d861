#!/bin/bash
# Keeps the initramfs's kernel modules for the node: the root leaves them out, so that they are on the medium once.

check() {
    return 255
}

depends() {
    echo dmsquash-live
}

install() {
    inst_multiple cp uname
    inst_hook pre-pivot 50 "$moddir/keep-modules.sh"
}
