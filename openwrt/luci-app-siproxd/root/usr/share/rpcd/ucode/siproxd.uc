// What LuCI asks of siproxd: the ubus object `luci.siproxd`.
//
// The answers are those of the program's own commands (docs/control.md), a process for each instance that is asked. Nothing of a request
// reaches a command line: the name of an instance is that of a section in /etc/config/siproxd, an action is one of a list, and what else there
// is are numbers.
//
// Written in what ucode and JavaScript have in common, so that the tests run this very file.

'use strict';

import { access, mkdir, popen, readfile, rmdir, symlink, unlink, writefile } from 'fs';
import { cursor } from 'uci';

const PROGRAM = '/usr/sbin/siproxd';
const INIT = '/etc/init.d/siproxd';
const SYSTEM_LOG = '/sbin/logread -l 200 -e siproxd';
const CONFIG_DIR = '/etc/config';
// Of the init script's: what each instance was started with.
const CONF_DIR = '/var/etc/siproxd';
// Of rpcd's: what has been saved in a session and not yet been applied.
const DELTA_DIR = '/var/run/rpcd/uci-';
const SCRATCH_DIR = '/var/run/siproxd-check-';

// Bytes that are taken of a program.
const LARGEST_ANSWER = 0x40000;

// Bytes of a message of ubus, which has a mebibyte at most, with room for what each instance has of ours: who is to send a larger one loses its
// connection, and rpcd ends, with all logins.
const LARGEST_MESSAGE = 0xc0000;

// Bytes that a value and its name take there besides their own, at most, and an instance, or a problem, with all that belongs to it.
const HEAD = 20;
const FRAME = 400;

// Bytes that are read at a time: most answers are smaller.
const PIECE = 0x4000;

// Bytes of what it says to people, about.
const LONGEST_TEXT = 4096;

// Seconds for all of an answer; and for all instances together, for rpcd serves nobody else meanwhile.
const PATIENCE = 3;
const PATIENCE_FOR_ALL = 5;

const LONGEST_DEBUG = 3600;
// Of debug classes.
const EVERYTHING = 0xffffffff;

// In the log; what is beyond is the beginning of what is kept, as it is for the daemon.
const FURTHEST_POSITION = 0x1fffffffffffff;

// Where the words of the program tell why it failed: the first that is in them decides.
const KINDS = [
	[ 'no siproxd runs here', 'not-running' ],
	[ 'this daemon takes no commands', 'not-running' ],
	[ 'unknown option', 'old' ],
	[ 'unknown command', 'old' ],
	[ 'unexpected `', 'old' ],
	[ 'a second word goes with', 'old' ],
	[ 'the daemon knows no such command', 'old' ],
	[ 'use the program that the daemon was started from', 'old' ],
	[ 'does not answer within', 'slow' ],
	[ 'what is no JSON', 'malformed' ],
	[ 'has broken off', 'malformed' ]
];

function failure(kind, text) {
	return { error: { kind: kind, text: text } };
}

// The sections of type `siproxd`, as they have been applied.
function sections() {
	const uci = cursor();
	const found = [];

	uci.foreach('siproxd', 'siproxd', function(section) {
		push(found, section);
	});

	return found;
}

// Whether a pattern matches all of a text. That it begins with ^ and ends with $ is not enough: in ucode they match at the ends of each line, and
// NUL ends the text.
function is_all(text, pattern) {
	const found = type(text) == 'string' ? match(text, pattern) : null;

	return found != null && found[0] == text;
}

// Whether a name may stand in a path and in a command line: one that UCI takes, and the init script.
function is_name(name) {
	return is_all(name, /^[A-Za-z0-9_]{1,64}$/);
}

function is_instance(name) {
	if (!is_name(name))
		return false;

	return length(filter(sections(), function(section) { return section['.name'] == name; })) == 1;
}

function unknown_instance() {
	return failure('unknown-instance', 'There is no such section in /etc/config/siproxd.');
}

function file_of(name, kind) {
	return `${CONF_DIR}/siproxd-${name}.${kind}`;
}

function is_enabled(section) {
	const value = section.enabled;

	return !(value == '0' || value == 'off' || value == 'false' || value == 'no' || value == 'disabled');
}

// Runs a command; what it says, on stdout and stderr, and its exit code.
function run(command) {
	const process = popen(`${command} 2>&1`, 'r');

	if (process == null)
		return { code: 127, said: 'it cannot be started' };

	let said = '';
	let is_more = true;

	while (is_more) {
		// ucode makes room for as much as is asked for, and clears it.
		const piece = process.read(PIECE);

		if (piece != null)
			said = `${said}${piece}`;

		is_more = piece != null && length(piece) == PIECE && length(said) <= LARGEST_ANSWER;
	}

	return { code: process.close(), said: said };
}

// What words of the program mean.
function kind_of(words) {
	for (let i = 0; i < length(KINDS); i++)
		if (index(words, KINDS[i][0]) >= 0)
			return KINDS[i][1];

	return 'failed';
}

function whole_message() {
	return { left: LARGEST_MESSAGE };
}

// Takes of the room in a message, where there is so much.
function takes(room, weight) {
	if (weight > room.left)
		return false;

	room.left -= weight;

	return true;
}

// What JSON takes in a message of ubus, at most: each value is behind one of these.
function weight_of(said) {
	return length(said) + HEAD * (length(split(said, ',')) + length(split(said, '[')) + length(split(said, '{')));
}

// Asks the daemon of an instance. The lines of its answer, and `error` where it was not all. `room` is what is left in the message for it.
function ask(name, patience, words, room) {
	const conf = file_of(name, 'conf');

	if (!access(conf))
		return { lines: [], error: { kind: 'not-running', text: 'It has not been started.' } };

	const answer = run(`exec ${PROGRAM} -c ${conf} --instance ${name} --json --timeout ${patience} ${words}`);

	if (length(answer.said) > LARGEST_ANSWER || !takes(room, weight_of(answer.said)))
		return { lines: [], error: { kind: 'too-large', text: 'The answer is larger than can be shown here.' } };

	const lines = [];
	const rest = split(answer.said, '\n');
	let text = '';

	for (let i = 0; i < length(rest); i++) {
		let line = null;

		// An exception costs as much as many lines.
		if (substr(rest[i], 0, 1) == '{') {
			try {
				line = json(rest[i]);
			}
			catch (e) {
				// Words, for people.
			}
		}

		if (type(line) == 'object' && type(line.type) == 'string')
			push(lines, line);
		else if (rest[i] != '' && length(text) < LONGEST_TEXT)
			text = `${text}${text == '' ? '' : '\n'}${substr(rest[i], 0, LONGEST_TEXT)}`;
	}

	if (answer.code == 0 && text == '')
		return { lines: lines };

	if (answer.code == 0)
		return { lines: lines, error: { kind: 'malformed', text: text } };

	return { lines: lines, error: { kind: kind_of(text), text: text == '' ? `It ended with ${answer.code}.` : text } };
}

function of_type(lines, wanted) {
	return filter(lines, function(line) { return line.type == wanted; });
}

// The first line of a type; without it, what stands in for it as an error.
function one_of(answer, wanted) {
	const lines = of_type(answer.lines, wanted);

	if (answer.error != null)
		return { error: answer.error };

	if (length(lines) == 0)
		return failure('malformed', `The answer has no line of type ${wanted}.`);

	return { line: lines[0] };
}

// Why an instance does not run, in the words of the init script: a level, the section, and what there is to say, in each line.
function said_at_start(name) {
	const said = readfile(file_of(name, 'said'), LARGEST_ANSWER);
	const lines = split(said == null ? '' : said, '\n');
	let text = '';

	for (let i = 0; i < length(lines); i++) {
		const parts = match(lines[i], /^[a-z]+ [A-Za-z0-9_]+: (.*)$/);

		if (parts != null)
			text = `${text}${text == '' ? '' : '\n'}${parts[1]}`;
	}

	return substr(text, 0, LONGEST_TEXT);
}

// Why the one that was started last does not run, in the words of its error in the system log, which does not tell of which instance a line is.
function said_at_end() {
	const lines = split(run(SYSTEM_LOG).said, '\n');
	let text = '';

	for (let i = 0; i < length(lines); i++) {
		const error = match(lines[i], /\.err siproxd\[[0-9]+\]: (.*)$/);

		if (error != null)
			text = error[1];
		else if (match(lines[i], / siproxd\[[0-9]+\]: siproxd [^ ]+ starts/) != null)
			text = '';
	}

	return text;
}

function status_of(section, patience, room) {
	const name = section['.name'];
	const enabled = is_enabled(section);
	const shown = { name: name, enabled: enabled, state: 'failed', text: '', status: null, bindings: [], refusals: [], calls: [] };

	if (!is_name(name)) {
		shown.text = 'The name of the section is longer than 64 characters.';
		return shown;
	}

	if (!access(file_of(name, 'conf'))) {
		shown.state = enabled ? 'stopped' : 'disabled';
		shown.text = said_at_start(name);
		return shown;
	}

	if (patience < 1) {
		shown.text = 'It has not been asked: the others have taken too long.';
		shown.error = { kind: 'slow', text: shown.text };
		return shown;
	}

	const answer = ask(name, patience, 'status bindings refusals calls', room);
	const status = of_type(answer.lines, 'status');

	shown.status = length(status) > 0 ? status[0] : null;
	shown.bindings = of_type(answer.lines, 'binding');
	shown.refusals = of_type(answer.lines, 'refusal');
	shown.calls = of_type(answer.lines, 'call');

	if (answer.error == null && shown.status == null)
		answer.error = { kind: 'malformed', text: 'The answer has no line of type status.' };

	if (answer.error == null) {
		shown.state = 'running';
		return shown;
	}

	shown.error = answer.error;
	shown.text = answer.error.text;

	if (answer.error.kind == 'not-running') {
		const why = said_at_end();

		shown.state = enabled ? 'stopped' : 'disabled';

		if (why != '')
			shown.text = why;
	}
	else if (answer.error.kind == 'old')
		shown.state = 'old';

	return shown;
}

// A word of a file of UCI.
function quoted(text) {
	return `'${replace(text, /'/g, "'\\''")}'`;
}

// The sections as a file of UCI, each with its name, also one that has none in the file: it is by that name that its page knows it.
function uci_text(config) {
	const names = sort(keys(config), function(a, b) { return config[a]['.index'] - config[b]['.index']; });
	let text = '';

	for (let i = 0; i < length(names); i++) {
		const section = config[names[i]];
		const options = keys(section);

		if (section['.type'] != 'siproxd' || !is_all(names[i], /^[A-Za-z0-9_]+$/))
			continue;

		text = `${text}config siproxd ${quoted(names[i])}\n`;

		for (let j = 0; j < length(options); j++) {
			const value = section[options[j]];

			if (!is_all(options[j], /^[A-Za-z0-9_]+$/))
				continue;

			if (type(value) == 'array')
				for (let k = 0; k < length(value); k++)
					text = `${text}\tlist ${options[j]} ${quoted(value[k])}\n`;
			else
				text = `${text}\toption ${options[j]} ${quoted(value)}\n`;
		}
	}

	return text;
}

// Of the init script's `check`: section, severity, option and text, with tabs between them.
function problems_of(said) {
	const lines = split(said, '\n');
	const problems = [];
	const room = whole_message();

	for (let i = 0; i < length(lines); i++) {
		const parts = split(lines[i], '\t');

		if (length(parts) == 4 && takes(room, FRAME + length(lines[i])))
			push(problems, { section: parts[0], severity: parts[1], option: parts[2], text: parts[3] });
	}

	return problems;
}

const FILES = [ 'siproxd', 'network', 'firewall' ];

function remove_scratch(directory) {
	for (let i = 0; i < length(FILES); i++)
		unlink(`${directory}/${FILES[i]}`);

	rmdir(directory);
}

// What the configuration would be once it is applied, in a directory for `uci`. Without a session, what `uci commit` would make of it.
function write_scratch(directory, session) {
	const uci = session == null ? cursor() : cursor(null, `${DELTA_DIR}${session}`);
	const config = uci.get_all('siproxd');

	remove_scratch(directory);

	if (config == null || !mkdir(directory, 0o700))
		return false;

	for (let i = 1; i < length(FILES); i++)
		symlink(`${CONFIG_DIR}/${FILES[i]}`, `${directory}/${FILES[i]}`);

	return writefile(`${directory}/siproxd`, uci_text(config)) != null;
}

const ACTIONS = [ 'start', 'stop', 'restart', 'reload' ];

const methods = {
	getStatus: {
		call: function(request) {
			const all = sections();
			const shown = [];
			const room = whole_message();
			const start = time();

			for (let i = 0; i < length(all); i++) {
				const left = PATIENCE_FOR_ALL - (time() - start);

				// More than anybody has; the name may be of any length.
				if (!takes(room, FRAME + length(all[i]['.name'])))
					break;

				const one = status_of(all[i], left < PATIENCE ? left : PATIENCE, room);

				// With an error it is there twice.
				if (!takes(room, 2 * length(one.text))) {
					one.text = '';

					if (one.error != null)
						one.error.text = '';
				}

				push(shown, one);
			}

			return { instances: shown };
		}
	},

	getHistory: {
		args: { instance: 'instance' },
		call: function(request) {
			if (!is_instance(request.args.instance))
				return unknown_instance();

			const answer = ask(request.args.instance, PATIENCE, 'history', whole_message());

			return answer.error != null ? { error: answer.error } : { ended: of_type(answer.lines, 'ended') };
		}
	},

	getLog: {
		// A text: rpcd refuses a number of more than 31 bits where a small one is meant.
		args: { instance: 'instance', after: 'after' },
		call: function(request) {
			if (!is_instance(request.args.instance))
				return unknown_instance();

			const after = int(request.args.after);
			const position = after > 0 && after <= FURTHEST_POSITION ? after : 0;
			const answer = ask(request.args.instance, PATIENCE, `--after ${position} status log`, whole_message());
			const status = one_of(answer, 'status');

			if (status.error != null)
				return status;

			return {
				pid: status.line.pid,
				uptime: status.line.uptime,
				lines: map(of_type(answer.lines, 'log'), function(line) { return { line: line.line, at: line.at }; })
			};
		}
	},

	check: {
		args: { ubus_rpc_session: 'session' },
		call: function(request) {
			const session = request.args.ubus_rpc_session;

			if (session != null && !is_all(session, /^[0-9a-f]{32}$/))
				return failure('failed', 'There is no such session.');

			const directory = `${SCRATCH_DIR}${session == null ? 'root' : session}`;

			if (!write_scratch(directory, session)) {
				remove_scratch(directory);
				return failure('failed', 'The configuration cannot be read.');
			}

			const answer = run(`UCI_CONFIG_DIR=${directory} ${INIT} check`);

			remove_scratch(directory);

			if (length(answer.said) > LARGEST_ANSWER)
				return failure('too-large', 'The answer is larger than can be shown here.');

			// 1 is for problems that it told.
			if (answer.code != 0 && answer.code != 1)
				return failure('failed', answer.said);

			return { problems: problems_of(answer.said) };
		}
	},

	dropCall: {
		args: { instance: 'instance', call: 'call' },
		call: function(request) {
			const call = request.args.call;

			if (!is_instance(request.args.instance))
				return unknown_instance();

			if (!is_all(call, /^[0-9]{1,10}\.[0-9]{1,10}$/))
				return failure('failed', 'There is no such call.');

			const dropped = one_of(ask(request.args.instance, PATIENCE, `drop ${call}`, whole_message()), 'dropped');

			return dropped.error != null ? dropped : { dropped: dropped.line };
		}
	},

	setDebug: {
		args: { instance: 'instance', classes: 0, seconds: 0 },
		call: function(request) {
			if (!is_instance(request.args.instance))
				return unknown_instance();

			const classes = int(request.args.classes);
			const seconds = int(request.args.seconds);

			if (!(classes >= -1 && classes <= 0x7fffffff) || !(seconds >= 0 && seconds <= LONGEST_DEBUG))
				return failure('failed', `Classes are a mask, and seconds at most ${LONGEST_DEBUG}.`);

			// -1 would be an option of the program's.
			const mask = classes < 0 ? EVERYTHING : classes;
			const debug = one_of(ask(request.args.instance, PATIENCE, `debug ${mask} ${seconds}`, whole_message()), 'debug');

			return debug.error != null ? debug : { debug: debug.line };
		}
	},

	act: {
		args: { instance: 'instance', action: 'action' },
		call: function(request) {
			if (!is_instance(request.args.instance))
				return unknown_instance();

			const action = filter(ACTIONS, function(one) { return one === request.args.action; });

			if (length(action) != 1)
				return failure('failed', 'There is no such action.');

			const done = run(`SAY=1 ${INIT} ${action[0]} ${request.args.instance}`);

			return { code: done.code, text: substr(done.said, 0, LARGEST_ANSWER) };
		}
	}
};

return { 'luci.siproxd': methods };
