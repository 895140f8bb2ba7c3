/* Stand-in for LuCI's dom module, and E(). */
'use strict';

(function() {
	const Class = window.LuCIBuiltins.baseclass;

	/* Class instances bound to elements, by the key that `data-idref` holds. */
	let lastKey = 0;
	const bound = new Map();

	const dom = Class.singleton({
		__name__: 'LuCI.dom',

		elem(e) {
			return e != null && typeof e === 'object' && 'nodeType' in e;
		},

		/* Markup: whatever it says becomes elements, as in LuCI. */
		parse(text) {
			const holder = document.createElement('template');
			holder.innerHTML = text;
			return holder.content.firstElementChild ?? document.createTextNode(text);
		},

		matches(node, selector) {
			return this.elem(node) && typeof node.matches === 'function' && node.matches(selector);
		},

		parent(node, selector) {
			return this.elem(node) && node.closest ? node.closest(selector) : null;
		},

		/* A list has text and elements; a bare string is markup, as in LuCI: what a stranger said must stand in a list. */
		append(node, children) {
			if (!this.elem(node))
				return null;
			if (Array.isArray(children)) {
				for (const child of children) {
					if (this.elem(child))
						node.appendChild(child);
					else if (child !== null && child !== undefined)
						node.appendChild(document.createTextNode(`${child}`));
				}
				return node.lastChild;
			}
			if (typeof children === 'function')
				return this.append(node, children(node));
			if (this.elem(children))
				return node.appendChild(children);
			if (children !== null && children !== undefined) {
				node.innerHTML = `${children}`;
				return node.lastChild;
			}
			return null;
		},

		content(node, children) {
			if (!this.elem(node))
				return null;
			for (const inner of node.querySelectorAll('[data-idref]'))
				bound.delete(inner.getAttribute('data-idref'));
			while (node.firstChild)
				node.removeChild(node.firstChild);
			return this.append(node, children);
		},

		attr(node, key, value) {
			if (!this.elem(node))
				return null;
			const all = key !== null && typeof key === 'object' ? key : { [key]: value };
			for (const [ name, one ] of Object.entries(all)) {
				if (one === null || one === undefined)
					continue;
				if (typeof one === 'function')
					node.addEventListener(name, one);
				else
					node.setAttribute(name, typeof one === 'object' ? JSON.stringify(one) : one);
			}
		},

		create(what, attributes, children) {
			if (!(attributes instanceof Object) || Array.isArray(attributes) || this.elem(attributes)) {
				children = attributes;
				attributes = null;
			}
			let made;
			if (Array.isArray(what)) {
				made = document.createDocumentFragment();
				for (const one of what)
					made.appendChild(this.create(one));
			}
			else if (this.elem(what))
				made = what;
			else if (what.charCodeAt(0) === 60)
				made = this.parse(what);
			else
				made = document.createElement(what);

			this.attr(made, attributes);
			this.append(made, children);
			return made;
		},

		data(node, key, value) {
			if (!node?.getAttribute)
				return null;
			let id = node.getAttribute('data-idref');
			if (arguments.length > 1 && key == null) {
				bound.delete(id);
				node.removeAttribute('data-idref');
				return null;
			}
			if (arguments.length > 2) {
				if (id == null)
					node.setAttribute('data-idref', id = String(++lastKey));
				const kept = bound.get(id) ?? {};
				kept[key] = value;
				bound.set(id, kept);
				return value;
			}
			const kept = bound.get(id);
			return key === undefined ? kept ?? null : kept?.[key] ?? null;
		},

		bindClassInstance(node, instance) {
			if (!(instance instanceof Class))
				throw new TypeError('Argument must be a class instance');
			return this.data(node, '_class', instance);
		},

		findClassInstance(node) {
			for (; node; node = node.parentNode) {
				const found = this.data(node, '_class');
				if (found)
					return found;
			}
			return null;
		},

		callClassMethod(node, method, ...args) {
			const instance = this.findClassInstance(node);
			return typeof instance?.[method] === 'function' ? instance[method](...args) : null;
		},

		/* LuCI takes those as not empty that have anything but hidden children. */
		isEmpty(node, ignore) {
			for (let child = node?.firstElementChild; child; child = child.nextElementSibling)
				if (!child.classList.contains('hidden') && !ignore?.(child))
					return false;
			return true;
		}
	});

	window.LuCIBuiltins.dom = dom;
	window.E = (...args) => dom.create(...args);
})();
