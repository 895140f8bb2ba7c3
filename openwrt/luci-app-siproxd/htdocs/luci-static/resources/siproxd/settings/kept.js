'use strict';
'require baseclass';
'require dom';

/*
 * Options of the form that leave alone what nobody has changed.
 *
 * LuCI writes an option anew when what its widget says is not what stands in UCI, and takes out one that is hidden or has its default. In
 * /etc/config/siproxd a number may be hexadecimal, a list one option with commas, a plugin's options may wait for the plugin: all of that
 * is to be there as it was after somebody has changed something else.
 */

function same(a, b) {
	return JSON.stringify(a == null || a === '' ? [] : a) == JSON.stringify(b == null || b === '' ? [] : b);
}

function isEmpty(value) {
	return value == null || value === '' || (Array.isArray(value) && value.length == 0);
}

/* What the widget in a frame says, before the frame is on the page. */
function shown(option, section_id, frame) {
	const node = Array.from(frame.querySelectorAll('[id]')).find(element => element.id == option.cbid(section_id));
	const widget = node ? dom.findClassInstance(node) : null;

	if (widget && typeof(widget.isChecked) == 'function')
		return widget.isChecked() ? option.enabled : option.disabled;

	return widget && typeof(widget.getValue) == 'function' ? widget.getValue() : option.cfgvalue(section_id);
}

return baseclass.extend({
	isEmpty,

	/*
	 * Has an option keep what stands in UCI unless it is changed. `read` makes what the widget shows of what stands in UCI.
	 */
	keep(option, read) {
		const load = option.load, parse = option.parse, render = option.render;
		const before = {};

		if (read)
			option.load = function(section_id) {
				return Promise.resolve(load.call(this, section_id)).then(value => read.call(this, value, section_id));
			};

		option.render = function(option_index, section_id, in_table) {
			return Promise.resolve(render.call(this, option_index, section_id, in_table)).then(frame => {
				before[section_id] = shown(this, section_id, frame);

				return frame;
			});
		};

		option.isChanged = function(section_id) {
			return this.isActive(section_id) && !same(this.formvalue(section_id), before[section_id]);
		};

		option.parse = function(section_id) {
			if (!this.isChanged(section_id))
				return Promise.resolve();

			const value = this.formvalue(section_id);

			if (!this.isValid(section_id))
				return parse.call(this, section_id);

			return Promise.resolve(isEmpty(value) ? this.remove(section_id) : this.write(section_id, value));
		};

		return option;
	}
});
