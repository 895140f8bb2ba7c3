'use strict';
'require baseclass';

/*
 * What stands around an option of the form: what it is for, the option's name, whether it takes a restart, what is wrong with it.
 *
 * LuCI puts descriptions into the page as HTML; here all of it is text.
 */

const RESTART = _('Takes a restart; calls go on when it is back.');

const CONTROLS = 'input:not([type="hidden"]), select, textarea, button, [tabindex]';

function controlsOf(frame) {
	const field = frame.querySelector('.cbi-value-field') || frame;

	return Array.from(field.querySelectorAll(CONTROLS));
}

/* Has the controls of a frame be read out with another text. */
function describe(frame, id) {
	controlsOf(frame).forEach(control => {
		const ids = (control.getAttribute('aria-describedby') || '').split(' ').filter(other => other != '' && other != id);

		control.setAttribute('aria-describedby', ids.concat([ id ]).join(' '));
	});
}

/* Has those controls of a frame that have no name of their own be called by its title. */
function name(frame, id) {
	const title = frame.querySelector('.cbi-value-title');

	if (!title)
		return;

	title.id = id;
	controlsOf(frame)
		.filter(control => control.tagName != 'BUTTON' && !control.hasAttribute('aria-label') && !control.closest('[role="group"], .item'))
		.forEach(control => control.setAttribute('aria-labelledby', id));
}

function undescribe(frame, id) {
	controlsOf(frame).forEach(control => {
		const ids = (control.getAttribute('aria-describedby') || '').split(' ').filter(other => other != id);

		control.setAttribute('aria-describedby', ids.join(' '));
	});
}

return baseclass.extend({
	controlsOf,

	/* The id of one of the texts around an option. */
	id(option, section_id, part) {
		return 'siproxd-%s-%s-%s'.format(part, section_id, option.option);
	},

	/* Where in a frame the texts go. */
	field(frame) {
		return frame.querySelector('.cbi-value-field') || frame;
	},

	/* Adds a text that is read out with the field. */
	add(frame, id, className, text) {
		const old = Array.from(frame.querySelectorAll('[id]')).find(element => element.id == id);

		if (old)
			old.remove();

		this.field(frame).appendChild(E('div', { 'id': id, 'class': className }, [ text ]));
		describe(frame, id);
	},

	remove(frame, id) {
		const old = Array.from(frame.querySelectorAll('[id]')).find(element => element.id == id);

		if (old) {
			old.remove();
			undescribe(frame, id);
		}
	},

	/*
	 * Puts texts around an option. `about` has `text`, `names` (of options in UCI), `restart`, `advanced`, and `isSet` (whether it is set,
	 * of a section); `shown` is told of each frame that comes onto the page.
	 */
	around(option, about, shown) {
		const render = option.render;
		const self = this;

		option.render = function(option_index, section_id, in_table) {
			return Promise.resolve(render.call(this, option_index, section_id, in_table)).then(frame => {
				if (about.text)
					self.add(frame, self.id(this, section_id, 'text'), 'cbi-value-description', about.text);

				if (about.restart)
					self.add(frame, self.id(this, section_id, 'restart'), 'siproxd-restart', RESTART);

				if (about.names && about.names.length)
					self.field(frame).appendChild(E('div', { 'class': 'siproxd-names' }, about.names.map(name => E('code', [ name ]))));

				frame.setAttribute('data-option', this.option);
				frame.classList.toggle('siproxd-advanced', about.advanced === true && !about.isSet(section_id));
				name(frame, self.id(this, section_id, 'title'));
				self.watch(this, section_id, frame);
				shown(this, section_id, frame, about.names || []);

				return frame;
			});
		};
	},

	/* Says below a field what is wrong with what is typed, which LuCI shows to the mouse alone. */
	watch(option, section_id, frame) {
		const id = this.id(option, section_id, 'wrong');

		frame.addEventListener('validation-failure', ev => {
			const text = ev.target.getAttribute('data-tooltip') || '';

			if (ev.target.getAttribute('aria-invalid') == 'true' && frame.querySelector('.siproxd-wrong'))
				frame.querySelector('.siproxd-wrong').textContent = text;
			else
				this.add(frame, id, 'siproxd-wrong', text);

			ev.target.setAttribute('aria-invalid', 'true');
		});

		frame.addEventListener('validation-success', ev => {
			ev.target.removeAttribute('aria-invalid');
			this.remove(frame, id);
		});
	}
});
