# What the init script uses of OpenWrt's functions.sh, after its documentation; and commands of the router's, which write what
# they are told to file descriptor 3; with REALLY, files get the owners that they are given.
# shellcheck shell=dash

reset_cb() {
	config_cb() { return 0; }
	option_cb() { return 0; }
	list_cb() { return 0; }
}
reset_cb

# What `uci export` says is shell: config, option and list are called.
config_load() {
	CONFIG_SECTIONS=
	CONFIG_SECTION=
	eval "$(uci ${UCI_CONFIG_DIR:+-c "$UCI_CONFIG_DIR"} -S -n export "$1" 2>/dev/null)"
	[ -z "$CONFIG_SECTION" ] || config_cb
}

package() {
	return 0
}

config() {
	CONFIG_SECTION=$2
	CONFIG_SECTIONS="$CONFIG_SECTIONS $2"
	config_set "$2" TYPE "$1"
	config_cb "$1" "$2"
}

option() {
	config_set "$CONFIG_SECTION" "$1" "$2"
	option_cb "$1" "$2"
}

list() {
	local before
	config_get before "$CONFIG_SECTION" "$1"
	config_set "$CONFIG_SECTION" "$1" "$before${before:+ }$2"
	list_cb "$1" "$2"
}

config_set() {
	eval "CONFIG_$1_$2=\$3"
}

config_get() {
	eval "$1=\${CONFIG_$2_$3:-\$4}"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; 0 | off | false | no | disabled) $1=0 ;; *) $1=\$4 ;; esac"
}

config_foreach() {
	local function="$1" type="$2" section found
	for section in $CONFIG_SECTIONS; do
		config_get found "$section" TYPE
		[ "$found" != "$type" ] || "$function" "$section"
	done
}

uci() {
	local directory=$IPKG_INSTROOT/etc/config
	if [ "$1" = -c ]; then
		directory=$2
		shift 2
	fi
	if [ -n "${UCI:-}" ]; then
		"$UCI" -c "$directory" "$@"
	else
		python3 "$STAND_IN_UCI" "$directory" "$@"
	fi
}

logger() {
	echo "log ${4#daemon.}: $5" >&3
}

chown() {
	echo "chown $*" >&3
	[ -z "${REALLY:-}" ] || command chown "$@"
}

id() {
	case "$2" in
	siproxd | root) echo "$2" ;;
	nobody) echo nogroup ;;
	*) return 1 ;;
	esac
}
