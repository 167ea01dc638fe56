# Keeps one throwaway container engine for as long as standard input is open.
# keeper DOCKERD DIR: DOCKERD is the engine's program, DIR an empty folder of ours.
# Says the engine's number once it is started, and its log when it ended by itself.
dockerd=$1 dir=$2
trap '' INT TERM HUP PIPE
# Without networks it touches nothing of the machine's; vfs needs nothing of the file system.
"$dockerd" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" --host "unix://$dir/socket" \
	--storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-masq=false --shutdown-timeout 1 \
	>"$dir/log" 2>&1 </dev/null &
engine=$!
echo "$engine"
cat >/dev/null # until the test process is gone
for _ in $(seq 100); do # before it is ready it hears no signal
	kill -0 "$engine" 2>/dev/null && ! grep -q 'API listen on' "$dir/log" || break
	sleep 0.1
done
kill "$engine" 2>/dev/null
wait "$engine" # it ends its containers, which die of SIGKILL, and its containerd before
rm -rf "$dir"
