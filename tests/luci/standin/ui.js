'use strict';
'require baseclass';
'require dom';
'require uci';
'require uilists as lists';
'require uiwidgets as widgets';

/* Stand-in for LuCI's ui module: dialogs, notifications, tabs, handlers, the indicator of changes. */

let modal;

/* Tabs of sections: which one is open is kept for the session, as in LuCI. */
const tabs = baseclass.singleton({
	initTabGroup(panes) {
		const list = [ ...panes ];
		if (!list.length)
			return;
		const menu = E('ul', { 'class': 'cbi-tabmenu' });
		const group = list[0].parentNode;
		group.insertBefore(menu, list[0]);
		for (const pane of list) {
			const name = pane.getAttribute('data-tab');
			const link = E('a', { 'href': '#', 'click': ev => { ev.preventDefault(); this.open(group, name); } },
				pane.getAttribute('data-tab-title'));
			menu.appendChild(E('li', { 'data-tab': name, 'class': 'cbi-tab-disabled' }, [ link ]));
		}
		this.updateTabs(null, group);
		const visible = list.filter(pane => !this.isEmptyPane(pane));
		const kept = sessionStorage.getItem(this.key(group));
		const marked = list.find(pane => pane.getAttribute('data-tab-active') === 'true')
			?? visible.find(pane => pane.getAttribute('data-tab') === kept) ?? visible[0] ?? list[0];
		this.open(group, marked.getAttribute('data-tab'));
	},

	/* Where it is kept which one is open. */
	key(group) {
		return `tab ${location.pathname} ${group.id}`;
	},

	open(group, name) {
		sessionStorage.setItem(this.key(group), name);
		for (const pane of group.querySelectorAll(':scope > [data-tab][data-tab-title]')) {
			const active = pane.getAttribute('data-tab') === name;
			pane.setAttribute('data-tab-active', active);
			if (active)
				pane.dispatchEvent(new CustomEvent('cbi-tab-active', { detail: { tab: name } }));
		}
		for (const item of group.querySelectorAll(':scope > ul.cbi-tabmenu > li')) {
			const active = item.getAttribute('data-tab') === name;
			item.classList.toggle('cbi-tab', active);
			item.classList.toggle('cbi-tab-disabled', !active);
		}
	},

	setActiveTab(pane) {
		this.open(pane.parentNode, pane.getAttribute('data-tab'));
	},

	isEmptyPane(pane) {
		return dom.isEmpty(pane, child => child.classList.contains('cbi-tab-descr'));
	},

	/* Hides empty tabs; says in the others how many errors they have. */
	updateTabs(ev, root) {
		for (const pane of (root ?? document).querySelectorAll('[data-tab-title]')) {
			const item = pane.parentNode?.querySelector(`:scope > ul.cbi-tabmenu > li[data-tab="${pane.getAttribute('data-tab')}"]`);
			if (!item)
				continue;
			const errors = pane.querySelectorAll('.cbi-input-invalid').length;
			item.style.display = this.isEmptyPane(pane) ? 'none' : '';
			if (errors)
				item.setAttribute('data-errors', errors);
			else
				item.removeAttribute('data-errors');
		}
	}
});

/* What stands in `data-tooltip` is shown beside what the mouse or the focus is on. */
function showTooltip(ev) {
	const target = ev.target.closest?.('[data-tooltip]');
	const shown = document.querySelector('body > .cbi-tooltip') ?? document.body.appendChild(E('div', { 'class': 'cbi-tooltip' }));
	shown.style.display = target ? 'block' : 'none';
	if (!target)
		return;
	const place = target.getBoundingClientRect();
	dom.content(shown, [ target.getAttribute('data-tooltip') ]);
	shown.className = `cbi-tooltip ${target.getAttribute('data-tooltip-style') ?? ''}`.trim();
	shown.style.top = `${place.bottom + window.scrollY}px`;
	shown.style.left = `${place.left + window.scrollX}px`;
}

/* The count of what is saved and not applied, in the page's header; a click lists it. */
const changes = baseclass.singleton({
	__init__() { this.changes = {}; },

	init() {
		return uci.changes().then(found => this.renderChangeIndicator(found));
	},

	renderChangeIndicator(found) {
		this.changes = found ?? {};
		const count = Object.values(this.changes).reduce((sum, one) => sum + one.length, 0);
		if (count)
			L.ui.showIndicator('uci-changes', `${_('Unsaved Changes')}: ${count}`, () => this.displayChanges());
		else
			L.ui.hideIndicator('uci-changes');
	},

	displayChanges() {
		const lines = Object.entries(this.changes).flatMap(([ config, list ]) =>
			list.map(change => E('div', {}, [ `${config}: ${change.join(' ')}` ])));
		L.ui.showModal(_('Configuration / Changes'), [
			E('div', { 'class': 'uci-change-list' }, lines),
			E('div', { 'class': 'right' }, [
				E('button', { 'class': 'btn', 'click': () => L.ui.hideModal() }, [ _('Close') ]), ' ',
				E('button', { 'class': 'cbi-button cbi-button-positive important', 'click': () => this.apply(true) }, [ _('Save & Apply') ]), ' ',
				E('button', { 'class': 'cbi-button cbi-button-reset', 'click': () => this.revert() }, [ _('Revert') ])
			])
		]);
	},

	displayStatus(type, content) {
		if (!type)
			return L.ui.hideModal();
		const shown = L.ui.showModal('', [], type.replace(/^/, 'alert-message '));
		dom.content(shown, content);
	},

	/* The page is loaded anew afterwards, as in LuCI. */
	apply() {
		this.displayStatus('notice spinning', E('p', [ _('Starting configuration apply…') ]));
		return uci.apply().then(() => {
			this.renderChangeIndicator({});
			this.displayStatus('notice', E('p', [ _('Configuration changes applied.') ]));
			document.dispatchEvent(new CustomEvent('uci-applied'));
			window.setTimeout(() => { window.location = window.location.href.split('#')[0]; }, (L.env.apply_display ?? 1.5) * 1000);
		}).catch(error => {
			this.displayStatus('warning', E('p', [ _('Apply request failed with status %h').format(error.message) ]));
		});
	},

	revert() {
		const configs = Object.keys(this.changes);
		return Promise.all(configs.map(config => L.rpc.declare({ object: 'uci', method: 'revert', params: [ 'config' ] })(config)))
			.then(() => {
				this.renderChangeIndicator({});
				window.location.reload();
			});
	}
});

return baseclass.extend({
	tabs, changes,
	AbstractElement: widgets.AbstractElement, Textfield: widgets.Textfield, Textarea: widgets.Textarea, Checkbox: widgets.Checkbox,
	Select: widgets.Select, Hiddenfield: widgets.Hiddenfield, Dropdown: lists.Dropdown, Combobox: lists.Combobox, DynamicList: lists.DynamicList,

	/* Before the view: the dialog, the menu's tabs, the changes. */
	begin() {
		modal = document.getElementById('modal_overlay') ?? document.body.appendChild(E('div', { 'id': 'modal_overlay', 'tabindex': '-1' },
			[ E('div', { 'class': 'modal', 'role': 'dialog', 'aria-modal': 'true' }) ]));
		dom.content(document.getElementById('tabmenu'), E('ul', { 'class': 'tabs' }, L.env.tabs.map(tab =>
			E('li', { 'class': tab.active ? 'tabmenu-item active' : 'tabmenu-item' }, [ E('a', { 'href': tab.href }, [ _(tab.title) ]) ]))));
		document.addEventListener('dependency-update', ev => tabs.updateTabs(ev));
		document.addEventListener('validation-success', ev => tabs.updateTabs(ev));
		document.addEventListener('validation-failure', ev => tabs.updateTabs(ev));
		document.addEventListener('keydown', ev => {
			if (ev.key === 'Escape' && document.body.classList.contains('modal-overlay-active'))
				modal.querySelector('.modal button.btn, .modal .cbi-button')?.click();
		});
		for (const name of [ 'mouseover', 'focusin' ])
			document.addEventListener(name, showTooltip);
		return changes.init();
	},

	showModal(title, children, ...classes) {
		const dialog = modal.querySelector('.modal');
		dialog.className = 'modal';
		for (const one of classes.flatMap(text => String(text).split(/\s+/)).filter(Boolean))
			dialog.classList.add(one);
		/* The title is markup in LuCI, here and in notifications. */
		dom.content(dialog, title ? E('h4', {}, title) : null);
		dom.append(dialog, children);
		document.body.classList.add('modal-overlay-active');
		modal.scrollTop = 0;
		modal.focus();
		return dialog;
	},

	hideModal() {
		document.body.classList.remove('modal-overlay-active');
		document.body.focus();
	},

	addNotification(title, children, ...classes) {
		const place = document.querySelector('#maincontent') ?? document.body;
		const message = E('div', { 'class': 'alert-message fade-in', 'role': 'alert' }, [
			E('div', { 'style': 'flex:10' }),
			E('div', { 'style': 'flex:1 1 auto; display:flex' }, [
				E('button', { 'class': 'btn', 'click': ev => ev.target.closest('.alert-message').remove() }, [ _('Dismiss') ])
			])
		]);
		if (title != null)
			dom.append(message.firstElementChild, E('h4', {}, title));
		dom.append(message.firstElementChild, children);
		for (const one of classes.flatMap(text => String(text).split(/\s+/)).filter(Boolean))
			message.classList.add(one);
		place.insertBefore(message, place.firstElementChild);
		return message;
	},

	addTimeLimitedNotification(title, children, timeout, ...classes) {
		const message = this.addNotification(title, children, ...classes);
		window.setTimeout(() => message.remove(), timeout);
		return message;
	},

	showIndicator(id, label, handler, style) {
		const place = document.getElementById('indicators');
		let shown = place.querySelector(`[data-indicator="${id}"]`);
		if (!shown)
			shown = place.appendChild(E('span', { 'data-indicator': id }));
		shown.setAttribute('data-style', style === 'inactive' ? 'inactive' : 'active');
		shown.setAttribute('data-clickable', Boolean(handler));
		shown.onclick = handler ?? null;
		dom.content(shown, [ label ]);
		return true;
	},

	hideIndicator(id) {
		document.querySelector(`#indicators [data-indicator="${id}"]`)?.remove();
	},

	/* A handler of a button: the button is disabled and spins until the promise is done; its errors are nobody's, as in LuCI. */
	createHandlerFn(self, fn, ...args) {
		const called = typeof fn === 'string' ? self[fn] : fn;
		if (typeof called !== 'function')
			return null;
		return ev => {
			const button = ev.currentTarget;
			button.classList.add('spinning');
			button.disabled = true;
			button.blur?.();
			Promise.resolve(called.call(self, ...args, ev)).finally(() => {
				button.classList.remove('spinning');
				button.disabled = false;
			});
		};
	},

	/* As in LuCI, the field is checked at once. */
	addValidator(...args) {
		const check = widgets.addValidator(...args);
		check?.();
		return check;
	},

	itemlist(node, items, separators) {
		const between = Array.isArray(separators) ? separators : [ separators ?? E('br') ];
		const shown = [];
		for (let place = 0; place < items.length; place += 2)
			if (items[place + 1] !== null && items[place + 1] !== undefined)
				shown.push(E('span', { 'class': 'nowrap' }, [ items[place] ? E('strong', [ `${items[place]}: ` ]) : '', items[place + 1] ]),
					between[0].cloneNode ? between[0].cloneNode() : between[0]);
		dom.content(node, shown.slice(0, -1));
		return node;
	},

	pingDevice() { return Promise.resolve(); },

	awaitReconnect() { window.setTimeout(() => window.location.reload(), 1000); }
});
