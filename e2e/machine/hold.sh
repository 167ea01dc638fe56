# Holds a machine for as long as standard input is open, and boots it at each line that is read there:
# the line is the command that becomes process 1.
# hold DIR BOOT: DIR is an empty folder of ours, BOOT the script that boots. It runs in a mount namespace of its own.
# Says "ready", at each boot "up PID" with the number of process 1 as it is here, and "down" when that has ended.
set -eu
dir=$1 boot=$2
trap '' INT TERM HUP PIPE
mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$dir"
cd "$dir"
mkdir upper work root groups
tr -d - </proc/sys/kernel/random/uuid >machine-id

# A control group of its own, of version 2, next to the one that we are in, wherever others have mounted those.
mount -t cgroup2 cgroup2 groups
group=groups$(sed -n 's/^0:://p' /proc/self/cgroup)/orderly-machine-$$
mkdir "$group"

# What boots the machine on which the tests run is left out, and what is told of its disks.
mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" overlay root
rm -rf root/etc/systemd root/etc/init.d root/etc/rc?.d root/etc/fstab root/etc/crypttab root/etc/machine-id \
	root/etc/default/orderly-agent root/usr/local/bin/orderly-agent root/usr/local/lib/systemd \
	root/var/log root/var/tmp root/var/lib/systemd root/var/lib/orderly-agent
for lib in root/lib/systemd root/usr/lib/systemd; do
	rm -rf "$lib"/system/*.wants "$lib"/system-generators
done
units=root/etc/systemd/system
mkdir -p "$units/sysinit.target.wants" root/etc/init.d root/var/log/journal root/var/tmp root/var/lib root/usr/local/bin
ln -s /lib/systemd/system/systemd-journald.service /lib/systemd/system/systemd-journal-flush.service "$units/sysinit.target.wants"
printf '[Journal]\nStorage=persistent\nSystemMaxUse=16M\nRateLimitBurst=0\n' >root/etc/systemd/journald.conf
cp machine-id root/etc/machine-id
echo orderly-machine >root/etc/hostname
echo ready

while read -r init; do
	cat /proc/sys/kernel/random/uuid >boot-id
	{
		trap - TERM HUP PIPE
		unshare --mount --pid --fork --kill-child=KILL sh -eu "$boot" "$dir" "$group" "$init" || true
		echo down
	} </dev/null &
done

# The test process is gone, or has done with this.
echo 1 >"$group/cgroup.kill"
wait
find "$group" -depth -type d -exec rmdir {} +
