// Stand-in for libuci: files of UCI, and what has been saved on top of them and not been applied yet (a line for each change, as `uci` keeps
// them below /tmp/.uci and rpcd for each session).

import fs from 'node:fs';
import path from 'node:path';

/* The words of a line, with shell's quotes. */
function words(line) {
	const found = [];
	let word = null;
	for (let at = 0; at < line.length; at++) {
		const one = line[at];
		if (word === null && /\s/.test(one))
			continue;
		if (word === null && one === '#')
			break;
		word ??= '';
		if (one === "'" || one === '"') {
			const end = line.indexOf(one, at + 1);
			if (end < 0)
				throw new Error('a quote does not end');
			word += line.slice(at + 1, end);
			at = end;
		}
		else if (one === '\\') {
			word += line[++at] ?? '';
		}
		else if (/\s/.test(one)) {
			found.push(word);
			word = null;
		}
		else {
			word += one;
		}
	}
	return word === null ? found : [ ...found, word ];
}

/* Lines; a quote may go over several. */
function *lines(text) {
	const rest = text.split('\n');
	for (let line = rest.shift(); line !== undefined; line = rest.shift()) {
		while (!closed(line) && rest.length)
			line += `\n${rest.shift()}`;
		yield line;
	}
}

function closed(line) {
	try {
		words(line);
		return true;
	}
	catch {
		return false;
	}
}

function hash(text) {
	let sum = 5381;
	for (const one of text)
		sum = (sum * 33 + one.charCodeAt(0)) & 0xffff;
	return sum.toString(16).padStart(4, '0');
}

const anonymousName = (count, section) => `cfg${count.toString(16).padStart(2, '0')}${hash(section.type + [ ...section.options.keys() ].join())}`;

/** Sections in their order: `name`, `type`, `anonymous`, `options` (a Map, values are strings or lists). */
export function parse(text) {
	const sections = [];
	let section = null;
	for (const line of lines(text)) {
		const [ what, name, value ] = words(line);
		if (what === 'config') {
			const found = value === undefined ? undefined : sections.find(one => one.name === value);
			section = found ?? { name: value, type: name, anonymous: value === undefined, options: new Map() };
			if (!found)
				sections.push(section);
		}
		else if (what === 'option') {
			section.options.set(name, value ?? '');
		}
		else if (what === 'list') {
			const before = section.options.get(name);
			section.options.set(name, [ ...Array.isArray(before) ? before : before === undefined ? [] : [ before ], value ?? '' ]);
		}
	}
	sections.forEach((one, place) => { one.name ??= anonymousName(place + 1, one); });
	return sections;
}

const quoted = value => `'${value.replace(/'/g, "'\\''")}'`;

export function print(sections) {
	return sections.map(section => {
		const lines = [ '', `config ${section.type}${section.anonymous ? '' : ` ${quoted(section.name)}`}` ];
		for (const [ name, value ] of section.options)
			lines.push(...Array.isArray(value) ? value.map(one => `\tlist ${name} ${quoted(one)}`) : [ `\toption ${name} ${quoted(value)}` ]);
		return lines.join('\n');
	}).join('\n') + '\n';
}

/* A line of a delta: [-+@^|]config.section[.option][='value'] */
function parseDelta(line) {
	const match = /^([-+@^|]?)([^.=]+)\.([^.=]+)(?:\.([^.=]+))?(?:=([^]*))?$/.exec(line);
	return { command: match[1], section: match[3], option: match[4], value: match[5] === undefined ? undefined : words(match[5])[0] ?? '' };
}

/** The changes of a configuration in a directory. */
function deltaLines(directory, config) {
	const file = path.join(directory, config);
	return fs.existsSync(file) ? [ ...lines(fs.readFileSync(file, 'utf8')) ].filter(Boolean) : [];
}

/** Notes a change in a session's directory. */
export function note(directory, config, command, section, option, value) {
	fs.mkdirSync(directory, { recursive: true });
	const where = `${command}${config}.${section}${option === undefined ? '' : `.${option}`}`;
	fs.appendFileSync(path.join(directory, config), `${where}${value === undefined ? '' : `=${quoted(String(value))}`}\n`);
}

function replay(sections, line) {
	const { command, section: name, option, value } = parseDelta(line);
	const place = sections.findIndex(one => one.name === name);
	const section = sections[place];
	if (command === '+' || (command === '' && option === undefined)) {
		if (section)
			section.type = value;
		else
			sections.push({ name, type: value, anonymous: command === '+', options: new Map() });
		return;
	}
	if (!section)
		return;
	if (command === '-')
		option === undefined ? sections.splice(place, 1) : section.options.delete(option);
	else if (command === '@')
		Object.assign(section, { name: value, anonymous: false });
	else if (command === '^')
		sections.splice(Number(value), 0, ...sections.splice(place, 1));
	else if (command === '|')
		section.options.set(option, [ section.options.get(option) ?? [], value ].flat());
	else
		section.options.set(option, value);
}

/** The sections with what the directories have on top; null where there is no such configuration. */
export function sectionsOf(configDirectory, deltaDirectories, config) {
	const file = path.join(configDirectory, config);
	if (!/^[A-Za-z0-9_-]+$/.test(config) || !fs.existsSync(file))
		return null;
	const sections = parse(fs.readFileSync(file, 'utf8'));
	for (const directory of deltaDirectories)
		deltaLines(directory, config).forEach(line => replay(sections, line));
	return sections;
}

/** The same as an object, with `.type`, `.name`, `.anonymous` and `.index` in each section. */
export function load(configDirectory, deltaDirectories, config) {
	const sections = sectionsOf(configDirectory, deltaDirectories, config);
	return sections && Object.fromEntries(sections.map((section, index) => [ section.name, {
		'.anonymous': section.anonymous, '.type': section.type, '.name': section.name, '.index': index, ...Object.fromEntries(section.options)
	} ]));
}

/** Changes as rpcd tells them: lists of a command and its words. */
export function changesOf(deltaDirectories, config) {
	const named = { '': 'set', '-': 'remove', '@': 'rename', '+': 'add', '|': 'list-add', '^': 'order' };
	return deltaDirectories.flatMap(directory => deltaLines(directory, config)).map(parseDelta).map(one =>
		[ one.option === undefined && one.command === '' ? 'add' : named[one.command], one.section,
			...one.option === undefined ? [] : [ one.option ], ...one.value === undefined ? [] : [ one.value ] ]);
}

/** Configurations with changes in a session's directory. */
export function changed(directory) {
	return fs.existsSync(directory) ? fs.readdirSync(directory).filter(name => deltaLines(directory, name).length) : [];
}

export function revert(directory, config) {
	fs.rmSync(path.join(directory, config), { force: true });
}

/** Writes what a session has changed into the configuration. */
export function commit(configDirectory, deltaDirectory, config) {
	const sections = sectionsOf(configDirectory, [ deltaDirectory ], config);
	fs.writeFileSync(path.join(configDirectory, config), print(sections));
	revert(deltaDirectory, config);
}
