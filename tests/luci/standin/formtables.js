'use strict';
'require baseclass';
'require dom';
'require formsections as sections';
'require ui';

/* Part of the stand-in for LuCI's form module: sections as rows of a table. */

const TableSection = sections.TypedSection.extend({
	__name__: 'CBI.TableSection',

	isTable: true,

	tab() {
		throw new Error('Tabs are not supported by TableSection');
	},

	columns() {
		const shown = this.children.filter(child => !child.modalonly && !child.disable);
		return isNaN(this.max_cols) || this.max_cols == null ? shown : shown.slice(0, this.max_cols);
	},

	renderOptions(tab, section_id) {
		return Promise.all(this.columns().map(child => this.renderCell(child, section_id))).then(nodes => E([], nodes));
	},

	renderCell(child, section_id) {
		return child.render(this.children.indexOf(child), section_id, true);
	},

	named() {
		return !this.anonymous || this.sectiontitle;
	},

	renderHeaderRow() {
		const cells = this.columns().map(child => E('th', { 'class': 'th cbi-section-table-cell', 'data-widget': child.__name__ }, child.title));
		if (this.sortable || this.extedit || this.addremove || this.hasModal)
			cells.push(E('th', { 'class': 'th cbi-section-table-cell cbi-section-actions' }));
		return E('tr', { 'class': `tr cbi-section-table-titles ${this.named() ? 'named' : 'anonymous'}`, 'data-title': this.named() ? _('Name') : null }, cells);
	},

	renderRowActions(section_id) {
		const buttons = [];
		if (this.sortable)
			buttons.push(E('button', { 'title': _('Drag to reorder'), 'class': 'cbi-button drag-handle center', 'disabled': this.map.readonly || null }, [ '☰' ]));
		if (this.extedit)
			buttons.push(E('button', {
				'title': _('Edit'), 'class': 'btn cbi-button cbi-button-edit',
				'click': typeof this.extedit === 'function' ? ev => this.extedit(ev, section_id) : () => { location.href = this.extedit.format(section_id); }
			}, [ _('Edit') ]));
		else if (this.hasModal || this.columns().length < this.children.length)
			buttons.push(E('button', {
				'title': _('Edit'), 'class': 'btn cbi-button cbi-button-edit', 'click': ui.createHandlerFn(this, 'renderMoreOptionsModal', section_id)
			}, [ this.hasModal ? _('Edit') : _('More…') ]));
		if (this.addremove)
			buttons.push(E('button', {
				'title': this.titleFn('removebtntitle', section_id) ?? _('Delete'), 'class': 'btn cbi-button cbi-button-remove',
				'click': ui.createHandlerFn(this, 'handleRemove', section_id), 'disabled': this.map.readonly || null
			}, [ this.titleFn('removebtntitle', section_id) ?? _('Delete') ]));
		if (!buttons.length)
			return E([]);
		return E('td', { 'class': 'td cbi-section-table-cell nowrap cbi-section-actions' }, [ E('div', {}, buttons) ]);
	},

	/* Rows change places as they are drawn over each other. */
	makeSortable(row) {
		let dragged = false;
		row.setAttribute('draggable', 'true');
		row.addEventListener('dragstart', ev => {
			dragged = true;
			ev.dataTransfer.setData('text', 'drag');
			row.parentNode.dragged = row;
		});
		row.addEventListener('dragover', ev => ev.preventDefault());
		row.addEventListener('dragend', () => { dragged = false; });
		row.addEventListener('drop', ev => {
			ev.preventDefault();
			const moved = row.parentNode.dragged;
			if (dragged || !moved || moved === row)
				return;
			const rows = [ ...row.parentNode.children ];
			const after = rows.indexOf(moved) < rows.indexOf(row);
			this.map.data.move(this.configName(), moved.getAttribute('data-sid'), row.getAttribute('data-sid'), after);
			row.parentNode.insertBefore(moved, after ? row.nextSibling : row);
			this.getUIElementChanged?.(row);
		});
	},

	renderContents(section_ids, nodes) {
		const node = this.renderHead(`cbi-${this.configName()}-${this.sectiontype}`, 'cbi-tblsection');
		const table = E('table', { 'class': 'table cbi-section-table' }, [ this.renderHeaderRow() ]);
		section_ids.forEach((section_id, place) => {
			const title = this.titleFn('sectiontitle', section_id) ?? section_id;
			const row = E('tr', {
				'id': `cbi-${this.configName()}-${section_id}`, 'class': 'tr cbi-section-table-row', 'data-sid': section_id,
				'data-section-id': section_id, 'data-title': this.named() ? title : null
			}, [ nodes[place], this.renderRowActions(section_id) ]);
			if (this.sortable && !this.map.readonly)
				this.makeSortable(row);
			table.appendChild(row);
		});
		if (!section_ids.length)
			table.appendChild(E('tr', { 'class': 'tr cbi-section-table-row placeholder' }, [ E('td', { 'class': 'td' }, [ this.renderSectionPlaceholder() ]) ]));
		dom.append(node, [ table, this.renderSectionAdd('cbi-tblsection-create') ]);
		return node;
	},

	/* A form of its own for one section, in a dialog. */
	renderMoreOptionsModal(section_id) {
		const map = new this.map.constructor(this.map.config);
		map.readonly = this.map.readonly;
		map.data = this.map.data;
		const section = map.section(sections.NamedSection, section_id, this.sectiontype);
		(this.tabs ?? []).forEach(tab => section.tab(tab.name, tab.title, tab.description));
		for (const child of this.children.filter(one => one.modalonly !== false)) {
			const copy = child.tab ? section.taboption(child.tab, child.constructor, child.option, child.title, child.description)
				: section.option(child.constructor, child.option, child.title, child.description);
			for (const key of Object.keys(child))
				if (![ 'map', 'section', 'option', 'title', 'description', 'tab', 'children', 'data' ].includes(key))
					copy[key] = child[key];
		}
		this.addModalOptions?.(section, section_id);
		return Promise.resolve(map.render()).then(nodes => ui.showModal(this.titleFn('modaltitle', section_id) ?? section_id, [
			nodes,
			E('div', { 'class': 'right' }, [
				E('button', { 'class': 'btn', 'click': ui.hideModal }, [ _('Dismiss') ]), ' ',
				E('button', {
					'class': 'cbi-button cbi-button-positive important', 'disabled': this.map.readonly || null,
					'click': ui.createHandlerFn(this, () => map.save(null, true).then(() => this.map.load()).then(() => this.map.reset()).then(ui.hideModal)
						.catch(() => {}))
				}, [ _('Save') ])
			])
		], 'cbi-modal'));
	}
});

/* A table that shows its options as text, and edits them in a dialog. */
const GridSection = TableSection.extend({
	__name__: 'CBI.GridSection',

	hasModal: true,

	tab(...args) {
		sections.AbstractSection.prototype.tab.call(this, ...args);
	},

	renderUCISection(section_id) {
		return this.renderOptions(null, section_id);
	},

	handleAdd(ev, name) {
		const section_id = this.map.data.add(this.configName(), this.sectiontype, name);
		return this.renderMoreOptionsModal(section_id);
	},

	renderCell(child, section_id) {
		if (child.editable)
			return TableSection.prototype.renderCell.call(this, child, section_id);
		const title = this.stripTags(child.title).trim();
		const value = child.textvalue(section_id);
		return E('td', {
			'class': 'td cbi-value-field', 'data-title': title || null, 'data-description': this.stripTags(child.description).trim() || null,
			'data-name': child.option, 'data-widget': 'CBI.DummyValue'
		}, value ?? E('em', [ _('none') ]));
	},

	/* What is shown as text has nothing to be read. */
	parse() {
		return Promise.all(this.cfgsections().flatMap(section_id =>
			this.children.filter(child => child.editable).map(child => child.parse(section_id))));
	}
});

return baseclass.extend({ TableSection, GridSection });
