// Serves the LuCI app to a browser as uhttpd, rpcd and LuCI's dispatcher would: the app's files, the stand-ins for LuCI's own modules, a page for
// each entry of the menu, its translations, and ubus. Prints its port. `POST /control` says which router it serves and changes what tests change.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Pages } from './pages.mjs';
import { pathsOf } from './paths.mjs';
import { Ubus } from './ubus.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);

/** What tests change. */
const defaults = () => ({
	// Of the pages.
	session: 'admin', lang: 'en', dark: false, pollinterval: 5,
	// Answers to `object.method` in place of the real ones, as [code, body]; codes with which a method of uci fails.
	answers: {}, uciFails: {},
	// Milliseconds that each answer of ubus takes longer; 'drop' closes the connection, 'malformed' says what is no JSON.
	delay: 0, breaks: null
});

/** A router that is served. `options`: `app`, `views` (of the tests' own), `root` (the router's files), `environment` (of programs). */
class Site {
	constructor(options) {
		this.environment = options.environment;
		this.paths = pathsOf(options.root);
		this.state = { ...defaults(), reload: () => this.reload() };
		this.ubus = new Ubus(options.app, this.paths, options.environment, this.state);
		this.pages = new Pages(options.app, path.join(here, 'standin'), this.state, options.views);
		this.reloads = 0;
		this.running = new Set();
	}

	/** What procd's trigger does after `uci apply`; the tests wait for `reloads`. */
	reload() {
		const init = this.paths.at('/etc/init.d/siproxd');
		if (!fs.existsSync(init))
			return;
		const child = spawn(init, [ 'reload' ], { env: this.environment, stdio: 'ignore', detached: true });
		this.running.add(child.pid);
		child.on('exit', () => {
			this.running.delete(child.pid);
			this.reloads++;
		});
	}

	close() {
		for (const pid of this.running)
			process.kill(-pid, 'SIGKILL');
	}
}

let site = null;

function body(request) {
	return new Promise((resolve, reject) => {
		let text = '';
		request.setEncoding('utf8');
		request.on('data', data => { text += data; });
		request.on('end', () => resolve(text));
		request.on('error', reject);
	});
}

function send(response, code, kind, content, isFile) {
	// Files stay as they are while tests run.
	response.writeHead(code, { 'Content-Type': kind, 'Cache-Control': isFile ? 'max-age=3600' : 'no-store' });
	response.end(content);
}

async function control(request, response) {
	const { mount, reset, ...changes } = JSON.parse(await body(request) || '{}');
	if (mount !== undefined) {
		site?.close();
		site = mount && new Site(mount);
	}
	if (reset) {
		Object.assign(site.state, defaults());
		site.ubus.log.length = 0;
	}
	if (site)
		Object.assign(site.state, changes);
	send(response, 200, 'application/json', JSON.stringify({ ...site?.state, reloads: site?.reloads, calls: site?.ubus.log }));
}

async function answerUbus(request, response) {
	const message = JSON.parse(await body(request));
	const { state, ubus } = site;
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
		if (site && request.method === 'POST' && url.pathname.startsWith('/ubus'))
			return await answerUbus(request, response);
		if (!site)
			return send(response, 404, 'text/plain', 'No router');
		const found = site.pages.answer(url);
		return send(response, found.code, found.kind, found.content, found.isFile);
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
