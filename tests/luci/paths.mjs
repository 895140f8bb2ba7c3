// Where the files of a router are on this machine.

import path from 'node:path';

/** `root` is its directory, `map` has what is elsewhere. */
export const pathsOf = (root, map = {}) => {
	const paths = {
		at(name) {
			const mapped = map[name];
			if (mapped)
				return mapped;
			return name.startsWith('/') ? path.join(root, name) : name;
		},
		back: name => name.startsWith(root) ? name.slice(root.length) : name,
		/** A command line with the router's paths as they are here; those of shell's own stay. */
		in: command => command.replace(/(?<=^|[\s='"])\/(?:usr|etc|var|tmp|sbin|lib)\/[^\s'";|&<>]*/g, name => paths.at(name))
	};
	return paths;
};
