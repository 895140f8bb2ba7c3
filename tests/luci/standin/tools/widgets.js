'use strict';
'require baseclass';
'require form';
'require rpc';
'require ui';

/* Stand-in for LuCI's tools.widgets: choices of what the router has. */

const callInterfaces = rpc.declare({ object: 'network.interface', method: 'dump', expect: { interface: [] } });
const callDevices = rpc.declare({ object: 'luci-rpc', method: 'getNetworkDevices', expect: { '': {} } });
const callZones = rpc.declare({ object: 'uci', method: 'get', params: [ 'config', 'type' ], expect: { values: {} } });

/* A dropdown of badges, with `choices` to be filled in by load(). */
const Chooser = form.ListValue.extend({
	__name__: 'CBI.Chooser',

	/* [ value, the words beside it ] */
	offers() {
		return [];
	},

	load(section_id) {
		return Promise.resolve(this.offers()).then(found => {
			this.offered = found;
			return form.ListValue.prototype.load.call(this, section_id);
		});
	},

	filter() {
		return true;
	},

	renderWidget(section_id, option_index, cfgvalue) {
		const value = cfgvalue ?? this.default;
		const values = L.toArray(value);
		const choices = {};
		for (const [ key, words ] of this.offered ?? [])
			if (this.filter(section_id, key))
				choices[key] = E('span', { 'class': 'ifacebadge' }, [ key, words ? `: ${words}` : '' ]);
		const widget = new ui.Dropdown(this.multiple ? values : values[0], choices, {
			id: this.cbid(section_id), sort: Object.keys(choices), multiple: this.multiple, optional: this.optional || this.rmempty,
			disabled: this.readonly ?? this.map.readonly, select_placeholder: E('em', [ _('unspecified') ]), create: !this.nocreate,
			validate: this.validate.bind(this, section_id)
		});
		return widget.render();
	},

	textvalue(section_id) {
		return form.Value.prototype.textvalue.call(this, section_id);
	}
});

/* As LuCI, it offers no value that is not there, where it is not of this kind any more. */
const NetworkSelect = Chooser.extend({
	__name__: 'CBI.NetworkSelect',

	offers() {
		return callInterfaces().then(all => all.filter(one => one.interface !== 'loopback' || this.loopback).map(one => [ one.interface, one.l3_device ]));
	}
});

const DeviceSelect = Chooser.extend({
	__name__: 'CBI.DeviceSelect',

	offers() {
		return callDevices().then(all => Object.values(all).filter(one => one.name !== 'lo' || this.loopback).map(one => [ one.name, one.devtype ]));
	}
});

const ZoneSelect = Chooser.extend({
	__name__: 'CBI.ZoneSelect',

	offers() {
		return callZones('firewall', 'zone').then(all => Object.values(all).map(one => [ one.name, L.toArray(one.network).join(' ') ]));
	}
});

const UserSelect = Chooser.extend({
	__name__: 'CBI.UserSelect',

	offers() {
		return [ 'root', 'nobody', 'siproxd' ].map(name => [ name ]);
	}
});

return baseclass.extend({ NetworkSelect, DeviceSelect, ZoneSelect, UserSelect });
