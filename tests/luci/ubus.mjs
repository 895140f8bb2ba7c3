// Stand-in for ubus with rpcd behind uhttpd: who may call what by acl.d, the object `uci`, the plugin, and fixed answers for the rest of a router.

import fs from 'node:fs';
import path from 'node:path';
import * as store from './ucistore.mjs';
import { convert, fromBytes, modulesFor, run, toBytes, type } from './ucode.mjs';

export const SESSIONS = { admin: 'a'.repeat(32), reader: 'b'.repeat(32) };

const OK = 0, INVALID_ARGUMENT = 2, METHOD_NOT_FOUND = 3, NOT_FOUND = 4, NO_DATA = 5, DENIED = 6, UNKNOWN_ERROR = 9;

// What LuCI itself grants beside an app's own file.
const BASE = {
	read: { ubus: { uci: [ 'changes', 'get', 'configs' ], session: [ 'access' ], luci: [ '*' ] }, uci: [ 'luci', 'network', 'wireless' ] },
	write: { ubus: { uci: [ 'add', 'apply', 'confirm', 'delete', 'order', 'rename', 'revert', 'set' ] }, uci: [] }
};

const fits = (patterns, name) => patterns.some(one => one === name || one === '*' || (one.endsWith('*') && name.startsWith(one.slice(0, -1))));

/** The rights of a session: `read` for all, `write` for one that is not read-only. */
class Rights {
	constructor(directory) {
		this.groups = fs.existsSync(directory)
			? fs.readdirSync(directory).map(name => JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8'))).flatMap(file => Object.values(file))
			: [];
		this.groups.push(BASE);
	}

	modes(session) {
		return session === SESSIONS.admin ? [ 'read', 'write' ] : session === SESSIONS.reader ? [ 'read' ] : [];
	}

	mayCall(session, object, method) {
		return this.modes(session).some(mode => this.groups.some(group =>
			Object.entries(group[mode]?.ubus ?? {}).some(([ name, methods ]) => fits([ name ], object) && fits(methods, method))));
	}

	mayUci(session, config, mode) {
		return this.modes(session).includes(mode) && this.groups.some(group => fits(group[mode]?.uci ?? [], config));
	}
}

// ubus's types for what a method's `args` has as an example. For rpcd a number of more than 32 bits is of another type than one of less.
const sameType = (example, value) => type(example) === type(value) && (type(value) !== 'int' || (value | 0) === value);

export class Ubus {
	/** `state` is what tests change: `answers` has fixed ones by `object.method`; `uciFails` a code for uci's methods. Its `reload` does what
	procd does when /etc/config/siproxd has changed; nobody waits for it. */
	constructor(app, paths, environment, state) {
		this.state = state;
		this.paths = paths;
		this.environment = environment;
		this.rights = new Rights(path.join(app, 'root/usr/share/rpcd/acl.d'));
		const plugin = path.join(app, 'root/usr/share/rpcd/ucode/siproxd.uc');
		this.objects = fs.existsSync(plugin) ? run(plugin, modulesFor(paths, environment)) : {};
		this.fixed = JSON.parse(fs.readFileSync(new URL('answers.json', import.meta.url)));
		this.log = [];
	}

	/** A message of JSON-RPC, or a list of them. */
	async handle(message) {
		if (Array.isArray(message)) {
			const answers = [];
			for (const one of message)
				answers.push(await this.handle(one));
			return answers;
		}
		const { id, method, params } = message;
		if (method !== 'call')
			return { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } };
		const [ session, object, name, args ] = params;
		this.log.push({ session, object, method: name, args });
		if (!this.rights.mayCall(session, object, name))
			return { jsonrpc: '2.0', id, error: { code: -32002, message: 'Access denied' } };
		return { jsonrpc: '2.0', id, result: await this.call(session, object, name, args ?? {}) };
	}

	async call(session, object, method, args) {
		const answer = this.state.answers[`${object}.${method}`];
		if (answer !== undefined)
			return answer;
		if (object === 'uci')
			return this.uci(session, method, args);
		if (object === 'session' && method === 'access')
			return [ OK, { access: args.scope === 'uci' ? this.rights.mayUci(session, args.object, args.function)
				: this.rights.mayCall(session, args.object, args.function) } ];
		if (this.objects[object])
			return this.plugin(this.objects[object], session, method, args);
		const fixed = this.fixed[`${object}.${method}`];
		return fixed === undefined ? [ NOT_FOUND ] : [ OK, fixed ];
	}

	/** As rpcd calls a plugin: arguments that it does not name, or of another type, are refused. */
	plugin(methods, session, method, given) {
		const found = methods[method];
		if (!found)
			return [ METHOD_NOT_FOUND ];
		for (const [ name, value ] of Object.entries(given))
			if (!(name in (found.args ?? {})) || !sameType(found.args[name], value))
				return [ INVALID_ARGUMENT ];
		try {
			const args = convert({ ...given, ubus_rpc_session: session }, toBytes);
			const answer = found.call({ args, info: { method } });
			return type(answer) === 'object' ? [ OK, convert(answer, fromBytes) ] : [ NO_DATA ];
		}
		catch (error) {
			process.stderr.write(`${error.stack}\n`);
			return [ UNKNOWN_ERROR ];
		}
	}

	uci(session, method, args) {
		const { config, section } = args;
		const configs = this.paths.at('/etc/config');
		const delta = this.paths.at(`/var/run/rpcd/uci-${session}`);
		if (this.state.uciFails[method])
			return [ this.state.uciFails[method] ];
		if (config !== undefined && !this.rights.mayUci(session, config, method === 'get' || method === 'changes' ? 'read' : 'write'))
			return [ DENIED ];
		const all = config === undefined ? null : store.load(configs, [ delta ], config);
		if (config !== undefined && all === null)
			return [ NOT_FOUND ];
		const write = (command, option, value, name = section) => store.note(delta, config, command, name, option, value);

		switch (method) {
		case 'get':
			if (section === undefined)
				return [ OK, { values: args.type ? Object.fromEntries(Object.entries(all).filter(([ , one ]) => one['.type'] === args.type)) : all } ];
			if (!all[section])
				return [ NOT_FOUND ];
			if (args.option === undefined)
				return [ OK, { values: all[section] } ];
			return all[section][args.option] === undefined ? [ NOT_FOUND ] : [ OK, { value: all[section][args.option] } ];

		case 'changes': {
			const found = (config === undefined ? store.changed(delta) : [ config ])
				.filter(one => this.rights.mayUci(session, one, 'read'));
			if (config !== undefined)
				return [ OK, { changes: store.changesOf([ delta ], config) } ];
			return [ OK, { changes: Object.fromEntries(found.map(one => [ one, store.changesOf([ delta ], one) ])) } ];
		}

		case 'add': {
			const name = args.name ?? `cfg${(Object.keys(all).length + 1).toString(16).padStart(2, '0')}${Math.floor(Math.random() * 65536).toString(16).padStart(4, '0')}`;
			if (!/^[A-Za-z0-9_]+$/.test(name))
				return [ INVALID_ARGUMENT ];
			write(args.name === undefined ? '+' : '', undefined, args.type, name);
			this.setAll(write, {}, args.values, name);
			return [ OK, { section: name } ];
		}

		case 'set':
			if (!all[section])
				return [ NOT_FOUND ];
			this.setAll(write, all[section], args.values, section);
			return [ OK ];

		case 'delete': {
			if (!all[section])
				return [ NOT_FOUND ];
			const options = args.options ?? (args.option === undefined ? undefined : [ args.option ]);
			if (options === undefined)
				write('-');
			else
				options.filter(one => one in all[section]).forEach(one => write('-', one));
			return [ OK ];
		}

		case 'rename':
			write('@', args.option, args.name);
			return [ OK ];

		case 'order':
			args.sections.forEach((name, place) => write('^', undefined, place, name));
			return [ OK ];

		case 'revert':
			store.revert(delta, config);
			return [ OK ];

		case 'apply': {
			const touched = store.changed(delta).filter(one => this.rights.mayUci(session, one, 'write'));
			touched.forEach(one => store.commit(configs, delta, one));
			// procd's part: whoever has a trigger on the configuration reads it again.
			if (touched.includes('siproxd'))
				this.state.reload();
			return touched.length ? [ OK ] : [ NO_DATA ];
		}

		case 'confirm':
			return [ OK ];
		}
		return [ METHOD_NOT_FOUND ];
	}

	setAll(write, before, values, name) {
		for (const [ option, value ] of Object.entries(values ?? {})) {
			if (!/^[A-Za-z0-9_]+$/.test(option))
				continue;
			if (!Array.isArray(value)) {
				write('', option, value, name);
				continue;
			}
			if (option in before)
				write('-', option, undefined, name);
			value.forEach(one => write('|', option, one, name));
		}
	}
}
