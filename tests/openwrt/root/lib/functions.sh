# What the init script uses of OpenWrt's functions.sh, after its documentation: a file of UCI is read as shell, option by
# option in its order. Values with line ends and names with more than letters, digits and `_` are not needed here.

reset_cb() {
	config_cb() { return 0; }
	option_cb() { return 0; }
	list_cb() { return 0; }
}
reset_cb

config_load() {
	CONFIG_SECTIONS=
	# shellcheck source=/dev/null
	. "$UCI_FILE"
	config_cb
}

config() {
	CONFIG_SECTION=${2:-cfg$(echo "$CONFIG_SECTIONS" | wc -w)}
	CONFIG_SECTIONS="$CONFIG_SECTIONS $CONFIG_SECTION"
	config_set "$CONFIG_SECTION" TYPE "$1"
	config_cb "$1" "$CONFIG_SECTION"
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
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; *) $1=0 ;; esac"
}

config_foreach() {
	local function="$1" type="$2" section found
	for section in $CONFIG_SECTIONS; do
		config_get found "$section" TYPE
		[ "$found" != "$type" ] || "$function" "$section"
	done
}
