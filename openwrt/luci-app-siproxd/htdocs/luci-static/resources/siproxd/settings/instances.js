'use strict';
'require baseclass';
'require uci';
'require siproxd.settings.values as values';

/*
 * Which sections there are, each a siproxd of its own: to choose, to add, to remove.
 */

const CONFIG = 'siproxd';

/* Of a section: UCI's rule, and what the init script takes. */
const NAME = /^[A-Za-z0-9_]{1,64}$/;

const FIRST_SIP_PORT = 5060;
const FIRST_MEDIA_PORT = 7070;
const MEDIA_PORTS = 20;

function portOf(section, name, standard) {
	return values.number(String(section[name] || standard)) || standard;
}

return baseclass.extend({
	names() {
		return uci.sections(CONFIG, 'siproxd').map(section => section['.name']);
	},

	title(name) {
		const section = uci.get(CONFIG, name);

		return section && section['.anonymous'] ? _('without a name (%s)').format(name) : name;
	},

	/* What is wrong with the name of a new section: true where nothing is. */
	check(name) {
		if (!NAME.test(name))
			return _('A name has letters, digits and _, at most 64.');

		return uci.get(CONFIG, name) == null || _('There is one of that name already.');
	},

	/* A new section, with ports that no other has. */
	add(name) {
		const others = uci.sections(CONFIG, 'siproxd');

		uci.add(CONFIG, 'siproxd', name);
		uci.set(CONFIG, name, 'enabled', '1');
		uci.set(CONFIG, name, 'interface_inbound', 'lan');
		uci.set(CONFIG, name, 'interface_outbound', 'wan');

		if (!others.length)
			return;

		const sip = Math.max.apply(null, others.map(one => portOf(one, 'sip_listen_port', FIRST_SIP_PORT)));
		const media = Math.max.apply(null, others.map(one => portOf(one, 'rtp_port_high', FIRST_MEDIA_PORT + MEDIA_PORTS - 1)));
		const first = media + 1 + (media + 1) % 2;

		uci.set(CONFIG, name, 'sip_listen_port', String(sip + 2));
		uci.set(CONFIG, name, 'rtp_port_low', String(first));
		uci.set(CONFIG, name, 'rtp_port_high', String(first + MEDIA_PORTS - 1));
	},

	remove(name) {
		uci.remove(CONFIG, name);
	},

	/*
	 * The bar to choose, add and remove. `act` has `choose`, `add` and `remove`, each of a name, with a promise that is of false where the page
	 * stays as it is; `readonly` leaves choosing alone.
	 */
	bar(chosen, readonly, act) {
		const names = this.names();
		const said = E('span', { 'class': 'siproxd-wrong', 'id': 'siproxd-instance-wrong', 'role': 'status' });
		const input = E('input', {
			'type': 'text', 'class': 'cbi-input-text', 'id': 'siproxd-instance-name', 'maxlength': '64',
			'autocomplete': 'off', 'spellcheck': 'false', 'aria-describedby': 'siproxd-instance-wrong'
		});
		const check = () => {
			const answer = this.check(input.value);

			said.textContent = answer === true || input.value === '' ? '' : answer;
			input.classList.toggle('cbi-input-invalid', said.textContent != '');

			return answer === true;
		};

		input.addEventListener('input', check);
		input.addEventListener('keydown', ev => {
			if (ev.key == 'Enter' && check())
				act.add(input.value);
		});

		const sure = E('span', { 'class': 'siproxd-sure', 'hidden': '' }, [
			E('span', [ _('Remove %s with all its settings?').format(this.title(chosen || '')) ]), ' ',
			E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-remove', 'click': () => act.remove(chosen) }, [ _('Yes, remove') ]), ' ',
			E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => { sure.hidden = true; } }, [ _('Cancel') ])
		]);
		const select = E('select', {
			'class': 'cbi-input-select', 'id': 'siproxd-instance',
			'change': ev => act.choose(ev.target.value).then(answer => {
				if (answer === false)
					ev.target.value = chosen;
			})
		}, names.map(name => E('option', { 'value': name, 'selected': name == chosen ? '' : null }, [ this.title(name) ])));

		return E('div', { 'class': 'siproxd-instances' + (names.length == 1 ? ' siproxd-advanced' : '') }, [
			names.length ? E('p', [
				E('label', { 'for': 'siproxd-instance' }, [ _('Instance') ]), ' ', select, ' ',
				readonly ? '' : E('button', {
					'type': 'button', 'class': 'btn cbi-button cbi-button-remove', 'id': 'siproxd-instance-remove',
					'click': () => {
						sure.hidden = false;
						sure.querySelector('button').focus();
					}
				}, [ _('Remove') ]), ' ', sure
			]) : E('p', [ _('There is no siproxd yet. Give one a name, such as general, and add it.') ]),
			readonly ? '' : E('p', [
				E('label', { 'for': 'siproxd-instance-name' }, [ names.length ? _('Another one') : _('Name') ]), ' ', input, ' ',
				E('button', {
					'type': 'button', 'class': 'btn cbi-button cbi-button-add', 'id': 'siproxd-instance-add',
					'click': () => {
						if (check())
							act.add(input.value);
						else
							input.focus();
					}
				}, [ _('Add') ]), ' ', said
			])
		]);
	}
});
