'use strict';
'require baseclass';

/*
 * Makes a part of the page look like a fresh one, with as little change as there can be: what is the same stays the same node, so that focus,
 * a selection of text and what a reader has opened survive each poll. A page is then a function of what the daemon said.
 *
 * Children with a `data-key` are found again by it wherever they are, others by their place and name. Listeners are not taken over: one
 * listener at the root looks for `data-do`.
 */

function keyOf(node) {
	return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute('data-key') : null;
}

/* What the reader does to an element, and no poll takes back. */
function isReaders(element, name) {
	return element.nodeName === 'DETAILS' && name === 'open';
}

function patchAttributes(old, fresh) {
	Array.from(old.attributes).forEach(attribute => {
		if (!fresh.hasAttribute(attribute.name) && !isReaders(old, attribute.name))
			old.removeAttribute(attribute.name);
	});

	Array.from(fresh.attributes).forEach(attribute => {
		if (old.getAttribute(attribute.name) !== attribute.value && !isReaders(old, attribute.name))
			old.setAttribute(attribute.name, attribute.value);
	});
}

function patchChildren(old, fresh) {
	const wanted = new Set(Array.from(fresh.childNodes).map(keyOf));
	const keyed = new Map();

	Array.from(old.childNodes).forEach(node => {
		const key = keyOf(node);

		if (key == null)
			return;

		if (wanted.has(key) && !keyed.has(key))
			keyed.set(key, node);
		else
			node.remove();
	});

	let at = old.firstChild;

	Array.from(fresh.childNodes).forEach(node => {
		const key = keyOf(node);
		let same = null;

		if (key != null) {
			same = keyed.get(key) || null;
			keyed.delete(key);
		}
		else if (at && keyOf(at) == null && at.nodeType === node.nodeType && at.nodeName === node.nodeName)
			same = at;

		if (same && same.nodeName !== node.nodeName) {
			if (same === at)
				at = at.nextSibling;

			same.remove();
			same = null;
		}

		if (!same) {
			old.insertBefore(node, at);
			return;
		}

		if (same === at)
			at = at.nextSibling;
		else
			old.insertBefore(same, at);

		patchNode(same, node);
	});

	while (at) {
		const next = at.nextSibling;

		at.remove();
		at = next;
	}
}

function patchNode(old, fresh) {
	if (old.nodeType !== Node.ELEMENT_NODE) {
		if (old.nodeValue !== fresh.nodeValue)
			old.nodeValue = fresh.nodeValue;

		return;
	}

	patchAttributes(old, fresh);
	patchChildren(old, fresh);
}

return baseclass.extend({
	/* Gives `old` the attributes and children of `fresh`, an element of the same name, of which it may take nodes. */
	into: (old, fresh) => {
		const focused = old.contains(document.activeElement) ? document.activeElement : null;
		const around = [];

		for (let node = focused; node && node !== old; node = node.parentNode)
			around.push(node);

		patchNode(old, fresh);

		if (!focused || document.activeElement === focused)
			return;

		/* It was moved, or is gone: then what was around it has the focus, and not the top of the page. */
		const heir = around.find(node => old.contains(node) && (node === focused || node.hasAttribute('tabindex')));

		(heir || old).focus({ preventScroll: true });
	}
});
