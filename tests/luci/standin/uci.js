'use strict';
'require baseclass';
'require rpc';

/* Stand-in for LuCI's uci module: configurations as the session sees them, and the page's own edits on top until save(). */

const callGet = rpc.declare({ object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} }, reject: true });
const callAdd = rpc.declare({ object: 'uci', method: 'add', params: [ 'config', 'type', 'name', 'values' ], expect: { section: '' }, reject: true });
const callSet = rpc.declare({ object: 'uci', method: 'set', params: [ 'config', 'section', 'values' ], reject: true });
const callDelete = rpc.declare({ object: 'uci', method: 'delete', params: [ 'config', 'section', 'options' ], reject: true });
const callOrder = rpc.declare({ object: 'uci', method: 'order', params: [ 'config', 'sections' ], reject: true });
const callChanges = rpc.declare({ object: 'uci', method: 'changes', expect: { changes: {} } });
const callApply = rpc.declare({ object: 'uci', method: 'apply', params: [ 'timeout', 'rollback' ], reject: true });
const callConfirm = rpc.declare({ object: 'uci', method: 'confirm', reject: true });

const isOption = name => name.charAt(0) !== '.';

return baseclass.extend({
	__init__() {
		/* values: as the router has them; creates, changes, deletes: by configuration and section; reorder: by configuration. */
		this.state = { newid: 0, values: {}, creates: {}, changes: {}, deletes: {}, reorder: {} };
		this.loading = {};
	},

	load(configs) {
		const list = Array.isArray(configs) ? configs : [ configs ];
		return Promise.all(list.map(config => this.state.values[config]
			? config
			: this.loading[config] ??= callGet(config).then(values => {
				this.state.values[config] = values;
				return config;
			}).finally(() => { delete this.loading[config]; })));
	},

	unload(configs) {
		for (const config of Array.isArray(configs) ? configs : [ configs ])
			for (const part of [ 'values', 'creates', 'changes', 'deletes', 'reorder' ])
				delete this.state[part][config];
	},

	/* Names like @siproxd[0] and @siproxd[-1] become those of their sections. */
	resolveSID(config, id) {
		const match = typeof id === 'string' && /^@([a-zA-Z0-9_-]+)\[(-?[0-9]+)\]$/.exec(id);
		if (!match)
			return id;
		const found = this.sections(config, match[1]);
		const place = Number(match[2]);
		return found[place < 0 ? found.length + place : place]?.['.name'] ?? null;
	},

	/* All of a section as it is now, or null. */
	section(config, id) {
		const { values, creates, changes, deletes } = this.state;
		if (creates[config]?.[id])
			return creates[config][id];
		const kept = values[config]?.[id];
		if (!kept || deletes[config]?.[id] === true)
			return null;
		const now = { ...kept, ...changes[config]?.[id] };
		for (const option of Object.keys(deletes[config]?.[id] ?? {}))
			delete now[option];
		return now;
	},

	sections(config, type, callback) {
		const names = [ ...Object.keys(this.state.values[config] ?? {}), ...Object.keys(this.state.creates[config] ?? {}) ];
		const found = names.map(name => this.section(config, name)).filter(Boolean);
		const order = this.state.reorder[config];
		const place = one => order?.includes(one['.name']) ? order.indexOf(one['.name']) : one['.index'];
		found.sort((a, b) => place(a) - place(b));
		const wanted = found.filter(one => type == null || one['.type'] === type);
		if (typeof callback === 'function')
			wanted.forEach(one => callback(one, one['.name']));
		return wanted;
	},

	get(config, id, option) {
		const section = this.section(config, this.resolveSID(config, id));
		if (!section)
			return null;
		return option == null ? section : section[option] ?? null;
	},

	get_bool(config, id, option) {
		const value = this.get(config, id, option);
		return [ '1', 'on', 'true', 'yes', 'enabled' ].includes(String(value).toLowerCase());
	},

	get_first(config, type, option) {
		const [ first ] = this.sections(config, type);
		return first ? this.get(config, first['.name'], option) : null;
	},

	set(config, id, option, value) {
		const { creates, changes, deletes, values } = this.state;
		const name = this.resolveSID(config, id);
		if (name == null || option == null || !isOption(option))
			return;
		const empty = value == null || value === '';
		if (creates[config]?.[name]) {
			if (empty)
				delete creates[config][name][option];
			else
				creates[config][name][option] = value;
			return;
		}
		if (!values[config]?.[name] || deletes[config]?.[name] === true)
			return;
		if (changes[config]?.[name])
			delete changes[config][name][option];
		if (deletes[config]?.[name])
			delete deletes[config][name][option];
		const same = JSON.stringify(values[config][name][option]) === JSON.stringify(value);
		if (empty) {
			if (option in values[config][name])
				((deletes[config] ??= {})[name] ??= {})[option] = true;
		}
		else if (!same) {
			((changes[config] ??= {})[name] ??= {})[option] = value;
		}
	},

	set_first(config, type, option, value) {
		const [ first ] = this.sections(config, type);
		return first ? this.set(config, first['.name'], option, value) : null;
	},

	unset(config, id, option) {
		return this.set(config, id, option, null);
	},

	unset_first(config, type, option) {
		return this.set_first(config, type, option, null);
	},

	add(config, type, name) {
		const id = name || `new${String(this.state.newid).padStart(6, '0')}`;
		(this.state.creates[config] ??= {})[id] = {
			'.type': type, '.name': id, '.create': name ?? true, '.anonymous': !name, '.index': 1000 + this.state.newid++
		};
		return id;
	},

	/* Another section with the same options. */
	clone(config, type, id, where, name) {
		const made = this.add(config, type, name);
		for (const [ option, value ] of Object.entries(this.get(config, id) ?? {}))
			if (isOption(option))
				this.set(config, made, option, value);
		return made;
	},

	remove(config, id) {
		const name = this.resolveSID(config, id);
		const { creates, changes, deletes, values } = this.state;
		if (creates[config]?.[name])
			delete creates[config][name];
		else if (values[config]?.[name]) {
			delete changes[config]?.[name];
			(deletes[config] ??= {})[name] = true;
		}
	},

	move(config, first, second, after) {
		const order = this.sections(config).map(one => one['.name']);
		const from = order.indexOf(this.resolveSID(config, first));
		if (from < 0)
			return false;
		const [ moved ] = order.splice(from, 1);
		const to = second == null ? order.length : order.indexOf(this.resolveSID(config, second)) + (after ? 1 : 0);
		order.splice(to, 0, moved);
		this.state.reorder[config] = order;
		return true;
	},

	async save() {
		const { values, creates, changes, deletes, reorder } = this.state;
		const touched = new Set([ creates, changes, deletes, reorder ].flatMap(Object.keys));
		const calls = [];
		const names = {};
		for (const [ config, sections ] of Object.entries(creates))
			for (const section of Object.values(sections)) {
				const options = Object.fromEntries(Object.entries(section).filter(([ key ]) => isOption(key)));
				const name = section['.create'] === true ? undefined : section['.create'];
				calls.push(callAdd(config, section['.type'], name, options).then(made => { names[section['.name']] = made; }));
			}
		for (const [ config, sections ] of Object.entries(changes))
			for (const [ id, options ] of Object.entries(sections))
				if (Object.keys(options).length)
					calls.push(callSet(config, id, options));
		for (const [ config, sections ] of Object.entries(deletes))
			for (const [ id, options ] of Object.entries(sections))
				if (options === true)
					calls.push(callDelete(config, id));
				else if (Object.keys(options).length)
					calls.push(callDelete(config, id, Object.keys(options)));
		await Promise.all(calls);
		await Promise.all(Object.entries(reorder).map(([ config, order ]) => callOrder(config, order.map(id => names[id] ?? id))));

		const again = [ ...touched ].filter(config => values[config] || creates[config]);
		this.unload([ ...touched ]);
		await this.load(again);
	},

	changes() {
		return callChanges();
	},

	/* With rollback: confirmed as soon as the router answers again. */
	async apply(timeout) {
		await callApply(timeout || 10, true);
		await callConfirm();
	},

	createSID(config) {
		return `cfg${config}${this.state.newid}`;
	}
});
