'use strict';
'require baseclass';

/* Part of the stand-in for LuCI's form module: what forms, sections and options have in common. */

function isEqual(a, b) {
	if (a === b)
		return true;
	if (Array.isArray(a) || Array.isArray(b))
		return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, place) => isEqual(one, b[place]));
	return a == b;
}

function isContained(all, one) {
	if (Array.isArray(all) || typeof all === 'string')
		return all.includes(one);
	return L.isObject(all) && all[one] != null;
}

const AbstractElement = baseclass.extend({
	__name__: 'CBI.AbstractElement',

	__init__(title, description) {
		this.title = title ?? '';
		this.description = description ?? '';
		this.children = [];
	},

	append(child) {
		this.children.push(child);
	},

	parse() {
		return Promise.all(this.children.map(child => child.parse()));
	},

	loadChildren(...args) {
		return Promise.all(this.children.map(child => child.disable ? null : child.load(...args)));
	},

	/* Those of a tab; null is all. */
	renderChildren(tab, ...args) {
		const wanted = this.children.map((child, place) => [ child, place ]).filter(([ child ]) => (tab === null || child.tab === tab) && !child.disable);
		return Promise.all(wanted.map(([ child, place ]) => child.render(place, ...args)));
	},

	stripTags(text) {
		if (typeof text === 'string' && !text.includes('<'))
			return text;
		const node = E('div');
		L.dom.append(node, text);
		return node.textContent || node.innerText || '';
	},

	titleFn(attribute, ...args) {
		const value = this[attribute];
		if (typeof value === 'function')
			return String(value.call(this, ...args) ?? '') || null;
		return value == null ? null : String(value).format(...args);
	}
});

return baseclass.extend({ AbstractElement, isEqual, isContained });
