# Becomes process 1 of the machine that hold.sh holds: it is that already to its own namespace of processes.
# boot DIR GROUP INIT
dir=$1 group=$2 init=$3
read -r pid _ </proc/self/stat
echo 0 >"$dir/$group/cgroup.procs"
echo "up $pid"
exec unshare --cgroup --uts --ipc sh -eu -c '
	cd "$1/root"
	mount --make-rprivate /
	mount -t proc proc proc
	mount --bind "$1/boot-id" proc/sys/kernel/random/boot_id
	mount --rbind proc/sys proc/sys
	mount -o remount,bind,ro proc/sys
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=1777 tmpfs tmp
	mount -t tmpfs -o mode=755 tmpfs dev
	mkdir dev/shm dev/pts run/old
	for device in null zero full random urandom tty; do
		touch "dev/$device"
		mount --bind "/dev/$device" "dev/$device"
	done
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	pivot_root . run/old
	umount -l run/old
	exec env -i container=orderly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $2
' boot "$dir" "$init" </dev/null >/dev/null 2>&1
