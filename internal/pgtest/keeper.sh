# Keeps one throwaway PostgreSQL cluster for as long as standard input is open.
# keeper BIN DIR PORT FSYNC: BIN holds the server's programs, DIR is an empty folder of ours.
# Says "ready" once the server answers; says anything else and ends when it cannot start.
bin=$1 dir=$2 port=$3 fsync=$4
trap 'rm -rf "$dir"' EXIT
trap '' INT TERM HUP PIPE

"$bin/initdb" --pgdata "$dir/data" --username postgres --auth trust --no-sync \
	--encoding UTF8 --locale C >"$dir/initdb.log" 2>&1 || {
	tail -n 20 "$dir/initdb.log"
	exit 1
}
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
fsync = $fsync
full_page_writes = $fsync
max_connections = 300
shared_buffers = 64MB
CONF
"$bin/pg_ctl" start --wait --silent --pgdata "$dir/data" --log "$dir/server.log" >"$dir/start.log" 2>&1 || {
	tail -n 20 "$dir/start.log" "$dir/server.log"
	exit 1
}
echo ready
cat >/dev/null # until the test process is gone
"$bin/pg_ctl" stop --mode immediate --silent --pgdata "$dir/data" >/dev/null 2>&1
