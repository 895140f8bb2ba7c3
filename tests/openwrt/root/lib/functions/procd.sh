# Tells a stand-in for procd, in JSON, what OpenWrt's procd.sh would tell procd.
# shellcheck shell=dash

# What has been written of the message; a comma too many goes with the next end.
MESSAGE=
INSTANCE_JAIL=
INSTANCE_MOUNTS=

put() {
	MESSAGE="$MESSAGE${1:+\"$1\":}$2"
}

json_add_string() {
	put "$1" "\"$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')\","
}

json_add_int() {
	put "$1" "$2,"
}

json_add_boolean() {
	case "$2" in
	0) put "$1" "false," ;;
	*) put "$1" "true," ;;
	esac
}

json_add_object() {
	put "$1" "{"
}

json_close_object() {
	MESSAGE="${MESSAGE%,}},"
}

json_add_array() {
	put "$1" "["
}

json_close_array() {
	MESSAGE="${MESSAGE%,}],"
}

# An array of strings.
strings() {
	json_add_array "$1"
	shift
	while [ $# -gt 0 ]; do
		json_add_string "" "$1"
		shift
	done
	json_close_array
}

procd_open_service() {
	MESSAGE="{"
	json_add_string name "$1"
	json_add_string script "/etc/init.d/$1"
	json_add_object instances
}

procd_close_service() {
	json_close_object
	json_add_array triggers
	service_triggers
	json_close_array
	json_close_object
	echo "${MESSAGE%,}" | python3 "$STAND_IN_PROCD" "$IPKG_INSTROOT/procd" "${1:-set}" >&3
}

procd_open_instance() {
	json_add_object "$1"
	INSTANCE_JAIL=
	INSTANCE_MOUNTS=
}

procd_close_instance() {
	if [ -n "$INSTANCE_JAIL" ]; then
		put jail "{$INSTANCE_JAIL\"mount\":{${INSTANCE_MOUNTS%,}}},"
	fi
	json_close_object
}

procd_set_param() {
	local name="$1"
	shift
	case "$name" in
	command | file | netdev | respawn | watch) strings "$name" "$@" ;;
	term_timeout | nice) json_add_int "$name" "$1" ;;
	stdout | stderr | no_new_privs) json_add_boolean "$name" "$1" ;;
	pidfile | user | group | capabilities | facility | seccomp) json_add_string "$name" "$1" ;;
	*) echo "procd does not know $name" >&3 ;;
	esac
}

procd_add_jail() {
	INSTANCE_JAIL="\"name\":\"$1\","
	shift
	while [ $# -gt 0 ]; do
		INSTANCE_JAIL="$INSTANCE_JAIL\"$1\":true,"
		shift
	done
}

add_mounts() {
	local writable="$1"
	shift
	[ -n "$INSTANCE_JAIL" ] || return 0
	while [ $# -gt 0 ]; do
		INSTANCE_MOUNTS="$INSTANCE_MOUNTS\"$1\":\"$writable\","
		shift
	done
}

procd_add_jail_mount() {
	add_mounts 0 "$@"
}

procd_add_jail_mount_rw() {
	add_mounts 1 "$@"
}

procd_open_data() {
	json_add_object data
}

procd_close_data() {
	json_close_object
}

# An event, what of it is to be what, and what is run then.
trigger() {
	local event="$1" member="$2" value="$3"
	shift 3
	json_add_array ""
	json_add_string "" "$event"
	json_add_array ""
	json_add_string "" "if"
	strings "" eq "$member" "$value"
	strings "" run_script "$@"
	json_close_array
	json_add_int "" 1000
	json_close_array
}

procd_add_reload_trigger() {
	trigger config.change package "$1" /etc/init.d/siproxd reload
}

procd_add_interface_trigger() {
	local event="$1" network="$2"
	shift 2
	trigger "$event" interface "$network" "$@"
}

# For the mounts of /etc/config/fstab that a path is in.
procd_add_restart_mount_trigger() {
	local path="$1" mount
	for mount in $(uci show fstab 2>/dev/null | sed -n "s/.*\.target='\(.*\)'\$/\1/p"); do
		case "$path/" in
		"$mount/"*) trigger mount.add target "$mount" /etc/init.d/siproxd restart ;;
		esac
	done
}

procd_kill() {
	echo "$2" | python3 "$STAND_IN_PROCD" "$IPKG_INSTROOT/procd" delete >&3
}

procd_set_config_changed() {
	echo "config changed: $1" >&3
}
