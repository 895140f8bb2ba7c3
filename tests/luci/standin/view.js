/* Stand-in for LuCI's view module: loads, draws itself into #view, and has the row of buttons below. */
'use strict';

(function() {
	const { baseclass, dom } = window.LuCIBuiltins;

	window.LuCIBuiltins.view = baseclass.extend({
		__name__: 'LuCI.view',

		__init__() {
			const place = document.getElementById('view');
			dom.content(place, E('div', { 'class': 'spinning' }, [ _('Loading view…') ]));

			return Promise.resolve(this.load())
				.then(data => this.render(data))
				.then(nodes => {
					dom.content(place, nodes);
					dom.append(place, this.addFooter());
				})
				.catch(error => L.error(error));
		},

		load() {},

		render() {},

		/* Each form on the page, once. */
		forms(method) {
			const maps = [ ...document.querySelectorAll('#maincontent .cbi-map') ];
			return Promise.all(maps.map(map => dom.callClassMethod(map, method)));
		},

		handleSave() {
			return this.forms('save');
		},

		handleSaveApply(ev, mode) {
			return this.handleSave(ev).then(() => L.ui.changes.apply(mode === '0'));
		},

		handleReset() {
			return this.forms('reset');
		},

		addFooter() {
			const footer = E([]);
			const maps = [ ...document.querySelectorAll('#view .cbi-map') ].map(map => dom.findClassInstance(map)).filter(Boolean);
			/* Of a page without a form, the rights of the page count. */
			const fixed = maps.length ? maps.every(map => map.readonly) : !L.hasViewPermission();

			const button = (method, look, label) => this[method]
				? E('button', { 'class': `cbi-button ${look}`, 'click': L.ui.createHandlerFn(this, method), 'disabled': fixed || null },
					[ label ])
				: '';
			const apply = this.handleSaveApply
				? E('button', { 'class': 'cbi-button cbi-button-apply important',
					'click': L.ui.createHandlerFn(this, 'handleSaveApply', '0'), 'disabled': fixed || null }, [ _('Save & Apply') ])
				: '';

			if (this.handleSaveApply || this.handleSave || this.handleReset)
				footer.appendChild(E('div', { 'class': 'cbi-page-actions' }, [
					apply, ' ',
					button('handleSave', 'cbi-button-save', _('Save')), ' ',
					button('handleReset', 'cbi-button-reset', _('Reset'))
				]));
			return footer;
		}
	});
})();
