# running finds whether what the PID file names keeps the agent alive: it is this file, told to supervise.
running() {
	pid=$(cat "$PIDFILE" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
	[ ! -r "/proc/$pid/cmdline" ] || tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q orderly-agent
}

# supervise starts the agent again two seconds after it ended, unless it was told to end (0), has a wrong
# setting (2) or says that starting again will not help (3). It tells the agent to end when it is told so itself (TERM).
# When it is told to restart (HUP) it begins anew after that, as this file says then.
supervise() {
	ending=
	renewing=
	child=
	trap 'ending=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
	trap 'renewing=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' HUP
	rm -f "$PIDFILE.restart"
	while [ -z "$ending" ]; do
		[ -z "$renewing" ] || exec sh "$self" supervise
		"$PROGRAM" @ARGUMENTS@ &
		child=$!
		[ -z "$ending$renewing" ] || kill -TERM "$child" 2>/dev/null # it came before there was a child
		wait "$child"
		code=$?
		while kill -0 "$child" 2>/dev/null; do # a signal has ended the wait, not the agent
			wait "$child"
			code=$?
		done
		child=
		[ -z "$ending$renewing" ] || continue
		case $code in
		0 | 2 | 3) break ;;
		esac
		sleep 2
	done
	rm -f "$PIDFILE.restart" "$PIDFILE"
}
