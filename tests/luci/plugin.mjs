// Calls methods of the plugin as rpcd does. One argument, JSON: `plugin`, the file; `root`, the router's files; `environment`, that of its programs.
// Each line of stdin is a call, `method` and `args` with those that rpcd would add; each line of stdout its answer and the command lines that it ran.

import readline from 'node:readline';
import { pathsOf } from './paths.mjs';
import { convert, fromBytes, modulesFor, run, toBytes } from './ucode.mjs';

const { plugin, root, environment } = JSON.parse(process.argv[2]);
const modules = modulesFor(pathsOf(root), environment);
const popen = modules.fs.popen;
let commands = [];

modules.fs.popen = (command, mode) => {
	commands.push(fromBytes(command));
	return popen(command, mode);
};

const methods = run(plugin, modules)['luci.siproxd'];

readline.createInterface({ input: process.stdin }).on('line', line => {
	const { method, args } = JSON.parse(line);
	commands = [];
	const answer = methods[method].call({ args: convert(args, toBytes), info: { method } });
	process.stdout.write(`${JSON.stringify({ answer: convert(answer, fromBytes), commands })}\n`);
});
