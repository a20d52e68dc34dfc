#!/bin/sh
# First process of the peer: a Linux domain 0 with xl, as bare as it can be and still work.
export PATH=/bin:/usr/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
exec </dev/hvc0 >/dev/hvc0 2>&1
echo 1 >/proc/sys/kernel/printk

for module in xen-privcmd xen-evtchn xenfs xen-gntdev xen-gntalloc; do
	[ ! -e "/modules/$module.ko" ] || insmod "/modules/$module.ko"
done
mount -t xenfs xenfs /proc/xen
tools=$(echo /usr/lib/xen-*/bin)
ulimit -n 65536
"$tools/xenstored" --pid-file /run/xenstored.pid
until [ -S /run/xenstored/socket ]; do sleep 0.05; done
"$tools/xen-init-dom0" >/dev/null
"$tools/xenconsoled" --pid-file=/run/xenconsoled.pid
xl list >/dev/null && echo "@mark first-list"

# Words peer.NAME=VALUE of the command line are the measurement's settings.
for word in $(cat /proc/cmdline); do
	case $word in peer.*=*) eval "${word#peer.}" ;; esac
done
. /measure.sh
echo "@mark end"
while :; do sleep 3600; done
