// The pages of LuCI around a view, the files of the app and of the stand-ins, and translations.

import fs from 'node:fs';
import path from 'node:path';
import { parsePo } from './po.mjs';
import { SESSIONS } from './ubus.mjs';

const KINDS = { '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.png': 'image/png' };
const SCRIPT = '/cgi-bin/luci';
const RESOURCES = '/luci-static/resources';
const MEDIA = '/luci-static/bootstrap';

const escaped = text => String(text).replace(/[&<>"']/g, one => `&#${one.charCodeAt(0)};`);

export class Pages {
	/** `views` is a directory with views for tests of the rig, beside those of the app. */
	constructor(app, standin, state, views) {
		this.app = app;
		this.standin = standin;
		this.state = state;
		this.views = views;
	}

	/** All of menu.d, by path; read anew each time, as views come and go while the app is written. */
	menu() {
		const directory = path.join(this.app, 'root/usr/share/luci/menu.d');
		const all = fs.existsSync(directory) ? fs.readdirSync(directory).filter(name => name.endsWith('.json')) : [];
		return Object.assign({}, ...all.map(name => JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8'))));
	}

	file(name) {
		const places = [ path.join(this.app, 'htdocs/luci-static/resources', name), path.join(this.standin, name) ];
		if (this.views)
			places.push(path.join(this.views, name));
		return places.find(one => fs.existsSync(one) && fs.statSync(one).isFile());
	}

	answer(url) {
		const name = decodeURIComponent(url.pathname);
		if (name === '/favicon.ico')
			return { code: 204, kind: 'text/plain', content: '' };
		if (name.startsWith(`${SCRIPT}/admin/translations/`))
			return { code: 200, kind: KINDS['.js'], content: this.translations(path.basename(name)) };
		for (const prefix of [ RESOURCES, MEDIA ])
			if (name.startsWith(`${prefix}/`)) {
				const file = this.file(path.normalize(name.slice(prefix.length + 1)));
				return file ? { code: 200, kind: KINDS[path.extname(file)] ?? 'application/octet-stream', content: fs.readFileSync(file), isFile: true }
					: { code: 404, kind: 'text/plain', content: 'Not found' };
			}
		if (name.startsWith(`${SCRIPT}/`))
			return this.page(name.slice(SCRIPT.length + 1).replace(/\/$/, ''));
		return { code: 404, kind: 'text/plain', content: 'Not found' };
	}

	translations(lang) {
		const file = path.join(this.app, 'po', lang, 'siproxd.po');
		if (lang === 'en' || !fs.existsSync(file))
			return 'window.TR = null;';
		const { messages, plural } = parsePo(fs.readFileSync(file, 'utf8'));
		return `window.TR = { messages: ${JSON.stringify(messages)}, plural: n => Number(${plural}) };`;
	}

	/** The entry of a path: of `firstchild`, its first child; `rig/…` is a view of the tests. */
	entry(name) {
		const menu = this.menu();
		if (name.startsWith('rig/'))
			return { name, view: name, title: 'Rig' };
		const found = menu[name];
		if (!found)
			return null;
		if (found.action?.type === 'firstchild' || found.action?.type === 'alias') {
			const [ first ] = Object.keys(menu).filter(one => path.dirname(one) === name).sort((a, b) => menu[a].order - menu[b].order);
			return first ? this.entry(first) : null;
		}
		return { name, view: found.action.path, title: found.title };
	}

	/** Whether a session may change what the entry, or one above it, depends on. */
	readonly() {
		return this.state.session !== 'admin';
	}

	page(name) {
		const entry = this.entry(name);
		if (!entry)
			return { code: 404, kind: 'text/html', content: '<!DOCTYPE html><title>Not found</title>' };
		const menu = this.menu();
		const parent = path.dirname(entry.name);
		const tabs = Object.keys(menu).filter(one => path.dirname(one) === parent && menu[one].title)
			.sort((a, b) => menu[a].order - menu[b].order)
			.map(one => ({ title: menu[one].title, href: `${SCRIPT}/${one}`, active: one === entry.name }));
		const environment = {
			token: 'token', resource: RESOURCES, base_url: RESOURCES, media: MEDIA, scriptname: SCRIPT, requestpath: entry.name.split('/'),
			dispatchpath: entry.name.split('/'), pathinfo: `/${entry.name}`, documentroot: '/www', sessionid: SESSIONS[this.state.session],
			pollinterval: this.state.pollinterval, rpctimeout: 20, ubuspath: '/ubus/', apply_display: 0.3, features: {},
			nodespec: { satisfied: true, readonly: this.readonly(), title: entry.title }, lang: this.state.lang, view: entry.view, tabs
		};
		const scripts = [ 'cbi', 'class', 'dom', 'request', 'poll', 'view', 'luci' ].map(one => `<script src="${RESOURCES}/${one}.js"></script>`).join('\n\t');
		return { code: 200, kind: 'text/html; charset=utf-8', content: `<!DOCTYPE html>
<html lang="${escaped(this.state.lang)}" data-darkmode="${this.state.dark}">
<head>
	<meta charset="utf-8">
	<title>OpenWrt - ${escaped(entry.title)} - LuCI</title>
	<meta name="viewport" content="width=device-width, initial-scale=1">
	<link rel="stylesheet" href="${MEDIA}/cascade.css">
	<script src="${SCRIPT}/admin/translations/${encodeURIComponent(this.state.lang)}"></script>
	${scripts}
</head>
<body class="lang_${escaped(this.state.lang)} ${escaped(entry.title)}" data-page="${escaped(entry.name.replaceAll('/', '-'))}">
	<header>
		<a class="brand" href="#">OpenWrt</a>
		<ul class="nav" id="topmenu"></ul>
		<div id="indicators" class="pull-right"></div>
	</header>
	<div id="maincontent" class="container">
		<div id="tabmenu"></div>
		<div id="view"><div class="spinning">Loading view…</div></div>
	</div>
	<script>window.L = new LuCI(${JSON.stringify(environment).replaceAll('<', '\\u003c')});</script>
</body>
</html>
` };
	}
}
