#!/bin/sh
# The config area that a PXE folder's own archive brought; it may hold a join token.
if [ -f /virtnode/config.img ]; then
    mkdir -p /run/virtnode
    (umask 077 && cp /virtnode/config.img /run/virtnode/config.img)
fi
