// Serves the LuCI app to a browser as uhttpd, rpcd and LuCI's dispatcher would: the app's files, the stand-ins for LuCI's own modules, a page for
// each entry of the menu, its translations, and ubus. One argument, JSON: `app`, `root` (the router's files), `map` (paths of the router that are
// elsewhere), `environment` (of programs). Prints its port. `POST /control` changes what tests change, see `state`.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Pages } from './pages.mjs';
import { pathsOf } from './paths.mjs';
import { Ubus } from './ubus.mjs';

const options = JSON.parse(process.argv[2]);
const here = path.dirname(new URL(import.meta.url).pathname);

const paths = pathsOf(options.root, options.map);

const defaults = () => ({
	// Of the pages.
	session: 'admin', lang: 'en', dark: false, pollinterval: 5,
	// Answers to `object.method` in place of the real ones, as [code, body]; codes with which a method of uci fails.
	answers: {}, uciFails: {},
	// Milliseconds that each answer of ubus takes longer; 'drop' closes the connection, 'malformed' says what is no JSON.
	delay: 0, breaks: null
});
const state = { ...defaults(), reload: () => reload() };

/** What procd's trigger does after `uci apply`; the tests wait for `reloads`. */
let reloads = 0;
function reload() {
	const init = paths.at('/etc/init.d/siproxd');
	if (!fs.existsSync(init))
		return;
	execFile(init, [ 'reload' ], { env: options.environment }, () => { reloads++; });
}

const ubus = new Ubus(options.app, paths, options.environment, state);
const pages = new Pages(options.app, path.join(here, 'standin'), state, options.views);

function body(request) {
	return new Promise((resolve, reject) => {
		let text = '';
		request.setEncoding('utf8');
		request.on('data', data => { text += data; });
		request.on('end', () => resolve(text));
		request.on('error', reject);
	});
}

function send(response, code, kind, content) {
	response.writeHead(code, { 'Content-Type': kind, 'Cache-Control': 'no-store' });
	response.end(content);
}

async function control(request, response) {
	const wanted = JSON.parse(await body(request) || '{}');
	if (wanted.reset) {
		Object.assign(state, defaults());
		ubus.log.length = 0;
	}
	delete wanted.reset;
	Object.assign(state, wanted);
	send(response, 200, 'application/json', JSON.stringify({ ...state, reloads, calls: ubus.log }));
}

async function answerUbus(request, response) {
	const message = JSON.parse(await body(request));
	if (state.delay)
		await new Promise(resolve => setTimeout(resolve, state.delay));
	if (state.breaks === 'drop')
		return request.socket.destroy();
	const said = JSON.stringify(await ubus.handle(message));
	send(response, 200, 'application/json', state.breaks === 'malformed' ? said.slice(0, said.length / 2) : said);
}

const server = http.createServer(async (request, response) => {
	try {
		const url = new URL(request.url, 'http://router');
		if (url.pathname === '/control')
			return await control(request, response);
		if (request.method === 'POST' && url.pathname.startsWith('/ubus'))
			return await answerUbus(request, response);
		const found = pages.answer(url);
		return send(response, found.code, found.kind, found.content);
	}
	catch (error) {
		process.stderr.write(`${error.stack}\n`);
		send(response, 500, 'text/plain', String(error.stack));
	}
});

server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
// Whoever started it has gone.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
