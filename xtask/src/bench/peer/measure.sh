# What is measured inside the peer's domain 0. Settings: runs, guests (31, so that thirty can be listed, or 100).

# NAME KERNEL MIB: writes /tmp/NAME.cfg.
config() {
	printf 'name="%s"\ntype="pvh"\nkernel="%s"\nmemory=%s\nvcpus=1\n' "$1" "$2" "$3" >"/tmp/$1.cfg"
}

sync
echo 3 >/proc/sys/vm/drop_caches
awk '/^MemTotal/ {t = $2} /^MemAvailable/ {a = $2} END {print "@value memory-given", t * 1024; print "@value memory-used", (t - a) * 1024}' /proc/meminfo

for run in $(seq "$runs"); do
	peer-timer list-0 xl list
done

config smallest /guests/idle 16
for run in $(seq "$runs"); do
	peer-timer create-smallest xl create -p /tmp/smallest.cfg
	sleep 0.3
	peer-timer destroy xl destroy smallest
	sleep 0.3
done

xl create -p -e /tmp/smallest.cfg >/dev/null 2>&1 && xl unpause smallest
for run in $(seq "$runs"); do
	peer-timer pause xl pause smallest
	peer-timer unpause xl unpause smallest
done
xl destroy smallest
sleep 0.3

# Hypercalls are ioctls ('P', 0) of privcmd; a store request begins with a header of 16 bytes. With -e xl leaves no
# process behind, for which strace would wait.
strace -f -e trace=ioctl,write -o /tmp/trace xl create -p -e /tmp/smallest.cfg >/dev/null 2>&1 || echo "@note strace failed"
echo "@value hypercalls $(grep -cE 'ioctl\([0-9]+, _IOC\(_IOC_NONE, 0x50, 0(x0)?, ' /tmp/trace)"
echo "@value maps $(grep -cE 'ioctl\([0-9]+, _IOC\([A-Z_|]+, 0x50, 0x[24], ' /tmp/trace)"
echo "@value store-requests $(grep -cE 'write\([0-9]+, .*, 16\) = 16' /tmp/trace)"
xl destroy smallest
sleep 0.5

config linux /guests/vmlinuz 128
echo 'ramdisk="/guests/ramdisk"' >>/tmp/linux.cfg
echo 'cmdline="console=hvc0"' >>/tmp/linux.cfg
for run in $(seq $(((runs + 1) / 2))); do
	peer-timer create-linux xl create -p /tmp/linux.cfg
	sleep 0.3
	xl destroy linux
	sleep 0.5
done

# The guests that only stand around are made with -e: no process of xl stays for them.
count=0
while [ "$count" -lt "$guests" ]; do
	if [ "$count" = 30 ]; then
		for run in $(seq "$runs"); do
			peer-timer list-30 xl list
		done
	fi
	if [ "$count" = 99 ]; then
		for run in $(seq $(((runs + 1) / 2))); do
			peer-timer create-100th xl create -p /tmp/smallest.cfg
			sleep 0.3
			xl destroy smallest
			sleep 0.5
		done
	fi
	config "g$count" /guests/idle 16
	xl create -p -e "/tmp/g$count.cfg" >/tmp/out 2>&1 || echo "@note guest $count: $(tail -n 1 /tmp/out)"
	count=$((count + 1))
done
