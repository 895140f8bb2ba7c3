/* Stand-in for LuCI's class declaration: extend, singleton, super. */
'use strict';

(function() {
	/* For each object and method: the prototype whose method runs now, by super(). */
	const running = new WeakMap();

	function camelCase(name) {
		return name.replace(/(?:^|[. -])(.)/g, (whole, letter) => letter.toUpperCase());
	}

	const Class = Object.assign(function() {}, {
		extend(properties) {
			const members = {
				__base__: { value: this.prototype },
				__name__: { value: properties.__name__ || 'anonymous' }
			};
			for (const key of Object.keys(properties))
				members[key] ??= { value: properties[key], writable: true };

			const made = function(...args) {
				if (!(this instanceof made))
					throw new TypeError('Constructor must not be called without "new"');
				if (Object.prototype.hasOwnProperty.call(Object.getPrototypeOf(this), '__init__'))
					this.__init__(...args);
				else
					this.super('__init__', args);
			};
			made.prototype = Object.create(this.prototype, members);
			made.prototype.constructor = made;
			Object.assign(made, this);
			made.displayName = camelCase(members.__name__.value + 'Class');
			return made;
		},

		singleton(properties, ...args) {
			return Class.extend(properties).instantiate(args);
		},

		instantiate(args) {
			return new this(...args);
		},

		call(self, method, ...args) {
			if (typeof this.prototype[method] !== 'function')
				throw new ReferenceError(`${method} is not defined in class`);
			return this.prototype[method].apply(self, args);
		},

		isSubclass(other) {
			return typeof other === 'function' && other.prototype instanceof this;
		}
	});

	Class.prototype.__init__ = function() {};

	Class.prototype.varargs = function(args, offset, ...first) {
		return first.concat(Array.prototype.slice.call(args, offset));
	};

	Class.prototype.super = function(key, ...given) {
		if (!running.has(this))
			running.set(this, {});
		const slots = running.get(this);
		const before = slots[key];
		let holder = Object.getPrototypeOf(before ?? Object.getPrototypeOf(this));
		while (holder && !Object.prototype.hasOwnProperty.call(holder, key))
			holder = Object.getPrototypeOf(holder);
		if (!holder)
			return null;

		const found = holder[key];
		if (given.length === 0)
			return found;
		if (typeof found !== 'function')
			throw new ReferenceError(`${key} is not a function in base class`);

		const args = given[0] !== null && typeof given[0] === 'object' ? Array.from(given[0]) : given;
		slots[key] = holder;
		try {
			return found.apply(this, args);
		}
		finally {
			slots[key] = before;
		}
	};

	Class.prototype.toString = function() {
		return `[${this.constructor.displayName}]`;
	};

	/* What the other built-in modules are put into, and the loader takes them from. */
	window.LuCIBuiltins = { baseclass: Class };
})();
