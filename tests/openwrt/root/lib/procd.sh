# Says what procd is told, in place of telling it.
procd_open_instance() { echo "instance $*"; }
procd_set_param() { echo "  $*"; }
procd_add_jail() { echo "  jail $*"; }
procd_add_jail_mount() { echo "  jail ro $*"; }
procd_add_jail_mount_rw() { echo "  jail rw $*"; }
procd_close_instance() { echo "end"; }
procd_add_reload_trigger() { echo "trigger config $*"; }
procd_add_reload_interface_trigger() { echo "trigger interface $*"; }
