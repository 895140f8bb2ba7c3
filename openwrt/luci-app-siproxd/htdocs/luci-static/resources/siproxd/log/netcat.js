'use strict';
'require baseclass';

/* The port that the example of the configuration names. */
const USUAL_PORT = 5050;

/* An address as a shell takes it: one word, and no option. Somebody is going to copy the command, and siproxd may not be what it was. */
const ADDRESS = /^[0-9A-Fa-f:][0-9A-Fa-f:.]*(%[0-9A-Za-z._-]+)?$/;

function isAddress(text) {
	return typeof(text) == 'string' && ADDRESS.test(text);
}

/* The router's own address on the LAN: the first of IPv4, else the first. */
function lanAddress(status) {
	const lan = status.lan != null && Array.isArray(status.lan.addresses) ? status.lan.addresses : [];
	const addresses = lan.filter((address) => typeof(address) == 'string').map((address) => address.replace(/\/\d+$/, '')).filter(isAddress);

	return addresses.find((address) => !address.includes(':')) || addresses[0] || null;
}

/* What is on. */
function openPort(status) {
	const open = status.debug_port;

	if (open == null || !Number.isInteger(open.port) || open.port < 1 || open.port > 65535)
		return null;

	const address = isAddress(open.address) && !/^(0\.0\.0\.0|::)$/.test(open.address) ? open.address : lanAddress(status);

	return { port: open.port, address: address };
}

/* How to read the log from a computer on the LAN, with the addresses of this router filled in. */
function recipe(status) {
	const open = openPort(status);
	const address = (open && open.address) || lanAddress(status) || '192.168.1.1';
	const command = 'netcat %s %d > debug.log'.format(address, open ? open.port : USUAL_PORT);
	const shown = E('pre', { 'class': 'siproxd-command', 'tabindex': '0', 'aria-label': _('The command') }, [ E('code', {}, [ command ]) ]);

	if (open)
		return [
			E('p', {}, [ _('The log can be read from a computer at home, for as long as you like:') ]),
			shown,
			E('p', {}, [ _('Ctrl+C ends it; the file debug.log has it all then. Whoever reaches this port at home sees who calls whom: switch it off when you are done, by emptying “Port for the debug log” in the settings.') ])
		];

	return [
		E('p', {}, [
			_('A log over hours, as somebody who helps you may ask for, a computer at home can collect. Set the port for the debug log to %d in the settings:').format(USUAL_PORT), ' ',
			E('a', { 'href': L.url('admin/services/siproxd/settings') }, [ _('Settings') ])
		]),
		E('p', {}, [ _('Then, on the computer:') ]),
		shown
	];
}

return baseclass.extend({
	/* A section of the page, which `update` fills from a line of type `status`. */
	create() {
		const body = E('div');
		let last = null;

		return {
			node: E('section', {}, [ E('h3', {}, [ _('From a computer at home') ]), body ]),

			/* Only what has changed is drawn anew: somebody may have selected the command. */
			update(status) {
				const now = JSON.stringify([ status.lan, status.debug_port ]);

				if (now != last)
					body.replaceChildren.apply(body, recipe(status));

				last = now;
			}
		};
	}
});
