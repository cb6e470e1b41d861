# Runs once, when all converted packages are unpacked: what dpkg would have done after each of them.
set -e
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
# The image gets one initramfs, made later for every medium.
export INITRD=No
cd /var/lib/dpkg
mkdir -p updates triggers
cat standin/*.status > status
: > available
: > diversions
: > statoverride
echo 1 > info/format
sh info/base-passwd.preinst install
cat standin/*.owners 2>/dev/null | while read -r mode owner path; do
    chown -h "$owner" "$path"
    [ -L "$path" ] || chmod "$mode" "$path"
done
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
dpkg --force-unsafe-io --configure -a
rm -f /usr/sbin/policy-rc.d
# An identity is not for an image; dbus' script gave it one.
rm -f /var/lib/dbus/machine-id
