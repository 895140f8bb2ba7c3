// Stand-in for ucode: runs a plugin that is written in what ucode and JavaScript have in common, with ucode's functions and its modules `fs` and
// `uci`, from their documentation. Strings are of bytes, as in ucode: each character here is a byte, and UTF-8 only outside.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { load, changesOf } from './ucistore.mjs';

export const toBytes = text => Buffer.from(text, 'utf8').toString('latin1');
export const fromBytes = text => Buffer.from(text, 'latin1').toString('utf8');

/** The same value with each string, keys as well, changed by `change`. */
export function convert(value, change) {
	if (typeof value === 'string')
		return change(value);
	if (Array.isArray(value))
		return value.map(one => convert(one, change));
	if (value !== null && typeof value === 'object')
		return Object.fromEntries(Object.entries(value).map(([ key, one ]) => [ change(key), convert(one, change) ]));
	return value;
}

export function type(value) {
	if (value === null || value === undefined)
		return null;
	if (typeof value === 'number')
		return Number.isInteger(value) ? 'int' : 'double';
	if (typeof value === 'boolean')
		return 'bool';
	if (Array.isArray(value))
		return 'array';
	return typeof value;
}

function text(value) {
	if (value === null || value === undefined)
		return 'null';
	return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function sprintf(format, ...values) {
	let next = 0;
	return format.replace(/%([-+ 0#]*)(\d+)?(?:\.(\d+))?([diouxXeEfFgGcsqJ%])/g, (whole, flags, width, precision, kind) => {
		if (kind === '%')
			return '%';
		const value = values[next++];
		let said;
		switch (kind) {
		case 'd': case 'i': case 'u': said = String(int(value) || 0); break;
		case 'x': said = (int(value) >>> 0).toString(16); break;
		case 'X': said = (int(value) >>> 0).toString(16).toUpperCase(); break;
		case 'o': said = (int(value) >>> 0).toString(8); break;
		case 'f': case 'F': said = Number(value).toFixed(precision ?? 6); break;
		case 'e': case 'E': said = Number(value).toExponential(precision ?? 6); break;
		case 'g': case 'G': said = String(Number(value)); break;
		case 'c': said = String.fromCharCode(int(value) & 255); break;
		case 'J': said = JSON.stringify(value); break;
		default: said = precision == null ? text(value) : text(value).slice(0, precision);
		}
		if (!width)
			return said;
		return flags.includes('-') ? said.padEnd(Number(width)) : said.padStart(Number(width), flags.includes('0') ? '0' : ' ');
	});
}

function int(value, base) {
	if (typeof value === 'boolean')
		return value ? 1 : 0;
	if (typeof value === 'number')
		return Math.trunc(value);
	if (typeof value !== 'string')
		return NaN;
	return parseInt(value, base ?? (/^\s*[+-]?0[xX]/.test(value) ? 16 : 10));
}

/* Where a pattern has no flag `s`, ^ and $ match at the ends of each line. */
const ofLines = pattern => new RegExp(pattern.source, pattern.flags.includes('s') ? pattern.flags : `${pattern.flags}m`);

/* Without `g` a list of the match and its groups; with it, such a list for each match. For C, a NUL is the end. */
function match(subject, pattern) {
	if (typeof subject !== 'string' || !(pattern instanceof RegExp))
		return null;
	const [ text ] = subject.split('\0');
	if (pattern.global) {
		const all = [ ...text.matchAll(ofLines(pattern)) ].map(one => Array.from(one, part => part ?? null));
		return all.length ? all : null;
	}
	const found = ofLines(pattern).exec(text);
	return found ? Array.from(found, part => part ?? null) : null;
}

function replace(subject, pattern, by) {
	if (typeof pattern === 'string')
		return String(subject).split(pattern).join(typeof by === 'function' ? by(pattern) : by);
	return String(subject).replace(pattern, typeof by === 'function' ? (...parts) => by(...parts.slice(0, -2)) : by);
}

function substr(subject, offset, length) {
	if (typeof subject !== 'string')
		return null;
	const from = offset < 0 ? Math.max(0, subject.length + offset) : offset;
	const to = length === undefined ? subject.length : length < 0 ? subject.length + length : from + length;
	return subject.slice(from, Math.max(from, to));
}

function lookup(where, what) {
	if (typeof where === 'string')
		return where.indexOf(what);
	return Array.isArray(where) ? where.findIndex(one => one === what) : null;
}

function json(value) {
	const said = typeof value === 'string' ? value : value.read('all');
	// Each byte is a character; what \u says is UTF-8 in ucode.
	return convert(JSON.parse(fromBytes(said)), toBytes);
}

const builtins = {
	type, sprintf, int, match, replace, substr, json,
	length: value => typeof value === 'string' || Array.isArray(value) ? value.length
		: type(value) === 'object' ? Object.keys(value).length : null,
	push: (list, ...values) => { list.push(...values); return values.at(-1) ?? null; },
	pop: list => list.pop() ?? null,
	shift: list => list.shift() ?? null,
	unshift: (list, ...values) => { list.unshift(...values); return values.at(-1) ?? null; },
	keys: value => type(value) === 'object' ? Object.keys(value) : null,
	values: value => type(value) === 'object' ? Object.values(value) : null,
	exists: (value, key) => type(value) === 'object' && Object.hasOwn(value, key),
	filter: (list, fn) => Array.isArray(list) ? list.filter((one, place) => fn(one, place, list)) : null,
	map: (list, fn) => Array.isArray(list) ? list.map((one, place) => fn(one, place, list)) : null,
	sort: (list, fn) => list.sort(fn ?? ((a, b) => a < b ? -1 : a > b ? 1 : 0)),
	reverse: value => typeof value === 'string' ? [ ...value ].reverse().join('') : Array.isArray(value) ? [ ...value ].reverse() : null,
	slice: (list, from, to) => Array.isArray(list) ? list.slice(from, to) : null,
	splice: (list, from, count, ...values) => { list.splice(from, count ?? list.length, ...values); return list; },
	uniq: list => [ ...new Set(list) ],
	join: (separator, list) => Array.isArray(list) ? list.map(text).join(separator) : null,
	split: (value, separator, limit) => {
		if (typeof value !== 'string')
			return null;
		const parts = value.split(separator);
		return limit > 0 && parts.length > limit && typeof separator === 'string'
			? [ ...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator) ] : parts;
	},
	index: lookup,
	rindex: (where, what) => where.lastIndexOf(what),
	trim: value => String(value).trim(), ltrim: value => String(value).trimStart(), rtrim: value => String(value).trimEnd(),
	lc: value => String(value).replace(/[A-Z]/g, one => one.toLowerCase()),
	uc: value => String(value).replace(/[a-z]/g, one => one.toUpperCase()),
	ord: (value, place) => typeof value === 'string' && value.length ? value.charCodeAt(place ?? 0) : null,
	chr: (...codes) => String.fromCharCode(...codes.map(code => code & 255)),
	hex: value => parseInt(value, 16),
	min: (...values) => values.reduce((a, b) => b < a ? b : a), max: (...values) => values.reduce((a, b) => b > a ? b : a),
	time: () => Math.floor(Date.now() / 1000),
	clock: () => [ Math.floor(Date.now() / 1000), (Date.now() % 1000) * 1e6 ],
	getenv: name => process.env[name] ?? null,
	die: words => { throw new Error(words); },
	warn: (...words) => { process.stderr.write(words.map(text).join('')); },
	print: (...words) => { process.stderr.write(words.map(text).join('')); },
	regexp: (source, flags) => new RegExp(source, flags ?? '')
};

/** What a program said, read as from a pipe. */
class Pipe {
	constructor(said, code) {
		this.said = said;
		this.place = 0;
		this.code = code;
	}

	read(amount) {
		const rest = this.said.slice(this.place);
		let got = rest;
		if (amount === 'line')
			got = rest.slice(0, rest.indexOf('\n') < 0 ? rest.length : rest.indexOf('\n') + 1);
		else if (typeof amount === 'number')
			got = rest.slice(0, amount);
		this.place += got.length;
		return got;
	}

	write() { return null; }
	close() { return this.code; }
}

/* null, as ucode's functions say it, where the system refuses. */
function attempt(fn) {
	try {
		return fn();
	}
	catch {
		return null;
	}
}

/** `paths.at(path)` is where a file of the router is here; `paths.in(command)` the same in a command line; `environment` is that of programs. */
export function modulesFor(paths, environment) {
	const at = path => paths.at(fromBytes(path));

	const files = {
		access: (path, mode) => attempt(() => { fs.accessSync(at(path), String(mode ?? '').includes('x') ? fs.constants.X_OK : fs.constants.F_OK); return true; }) ?? false,
		readfile: (path, limit) => attempt(() => {
			const all = fs.readFileSync(at(path)).toString('latin1');
			return limit == null ? all : all.slice(0, limit);
		}),
		writefile: (path, data) => attempt(() => { fs.writeFileSync(at(path), text(data), 'latin1'); return text(data).length; }),
		mkdir: (path, mode) => attempt(() => { fs.mkdirSync(at(path), mode ?? 0o777); return true; }),
		rmdir: path => attempt(() => { fs.rmdirSync(at(path)); return true; }),
		unlink: path => attempt(() => { fs.unlinkSync(at(path)); return true; }),
		symlink: (target, path) => attempt(() => { fs.symlinkSync(at(target), at(path)); return true; }),
		rename: (from, to) => attempt(() => { fs.renameSync(at(from), at(to)); return true; }),
		mkdtemp: path => attempt(() => paths.back(fs.mkdtempSync(at(path ?? '/tmp/XXXXXX').replace(/X{6}$/, '')))),
		lsdir: path => attempt(() => fs.readdirSync(at(path)).sort()),
		realpath: path => attempt(() => paths.back(fs.realpathSync(at(path)))),
		stat: path => attempt(() => {
			const found = fs.statSync(at(path));
			return { size: found.size, mtime: Math.floor(found.mtimeMs / 1000), type: found.isDirectory() ? 'directory' : 'file', mode: found.mode & 0o7777 };
		}),
		open: path => attempt(() => new Pipe(fs.readFileSync(at(path)).toString('latin1'), true)),
		popen: command => {
			const done = spawnSync('/bin/sh', [ '-c', paths.in(fromBytes(command)) ],
				{ encoding: 'latin1', maxBuffer: 64 << 20, stdio: [ 'ignore', 'pipe', 'inherit' ], env: environment });
			return new Pipe(done.stdout ?? '', done.status ?? -1);
		},
		error: () => 'failed'
	};

	const cursor = (config, delta) => {
		const directories = () => [ paths.at(config ?? '/etc/config'), [ paths.at('/tmp/.uci'), ...delta ? [ at(delta) ] : [] ] ];
		const all = name => convert(load(...directories(), fromBytes(name)), toBytes);
		return {
			load: name => all(name) !== null,
			unload: () => true,
			get_all: (name, section) => section == null ? all(name) : all(name)?.[section] ?? null,
			get: (name, section, option) => option == null ? all(name)?.[section]?.['.type'] ?? null : all(name)?.[section]?.[option] ?? null,
			get_first: (name, kind, option) => {
				const first = Object.values(all(name) ?? {}).find(one => one['.type'] === kind);
				return (option == null ? first?.['.name'] : first?.[option]) ?? null;
			},
			foreach: (name, kind, fn) => {
				const found = Object.values(all(name) ?? {}).filter(one => kind == null || one['.type'] === kind);
				found.every(one => fn(one) !== false);
				return found.length > 0;
			},
			changes: name => changesOf(directories()[1], name),
			configs: () => fs.readdirSync(directories()[0]).sort()
		};
	};

	return { fs: files, uci: { cursor } };
}

/** Runs the file; what it returns is what rpcd would take as its objects. */
export function run(file, modules) {
	const source = fs.readFileSync(file, 'latin1')
		.replace(/^import \{([^}]*)\} from '([a-z]+)';$/gm, 'const {$1} = __modules.$2;');
	const made = new Function('__modules', ...Object.keys(builtins), `${source}\n//# sourceURL=${file}`);
	return made(modules, ...Object.values(builtins));
}
