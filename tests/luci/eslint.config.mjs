// LuCI's conventions: scripts that return a class, browser globals and LuCI's own, tabs.

import { createRequire } from 'node:module';

// eslint is outside the repository.
const require = createRequire(`${process.env.SIPROXD_LUCI_TOOLS}/npm/node_modules/`);
const js = require('@eslint/js');
const globals = require('globals');
const espree = createRequire(require.resolve('eslint'))('espree');

const readonly = names => Object.fromEntries(names.map(name => [ name, 'readonly' ]));

// Modules are asked for.
const LUCI = readonly([ 'L', 'E', '_', 'N_', 'LuCI' ]);

const UCODE = readonly([
	'assert', 'b64dec', 'b64enc', 'call', 'chr', 'clock', 'die', 'exists', 'exit', 'filter', 'gc', 'getenv', 'gmtime', 'hex', 'hexdec', 'hexenc',
	'include', 'index', 'int', 'join', 'json', 'keys', 'lc', 'length', 'localtime', 'ltrim', 'map', 'match', 'max', 'min', 'ord', 'pop', 'print',
	'printf', 'proto', 'push', 'regexp', 'replace', 'reverse', 'rindex', 'rtrim', 'shift', 'sleep', 'slice', 'sort', 'splice', 'split', 'sprintf',
	'substr', 'system', 'time', 'trim', 'type', 'uc', 'uchr', 'uniq', 'unshift', 'values', 'warn', 'wildcard'
]);

const rules = {
	...js.configs.recommended.rules,
	'strict': 'off',
	'no-unused-vars': [ 'error', { args: 'none', caughtErrors: 'none' } ],
	'no-prototype-builtins': 'off',
	'no-unused-expressions': [ 'error', { allowTernary: true, allowShortCircuit: true } ],
	'no-tabs': 'off',
	'no-control-regex': 'off',
	'no-misleading-character-class': 'off',
	'no-eval': 'off',
	'no-implied-eval': 'error',
	'eqeqeq': 'off',
	'prefer-const': 'error',
	'no-var': 'error'
};

/* What a module of LuCI asks for with its directives: { as, name, node }. */
function required(program) {
	return program.body.filter(node => node.directive).map(node => {
		const match = /^require[ \t]+(\S+)(?:[ \t]+as[ \t]+(\S+))?$/.exec(node.directive);
		return match && { name: match[1], as: match[2] ?? match[1].replace(/[^a-zA-Z0-9_]/g, '_'), node };
	}).filter(Boolean);
}

/* ucode imports, and returns from the file: as a script, with the same places. */
const ucodeParser = {
	parseForESLint(text, options) {
		const script = text.replace(/^import (\{[^}]*\}) from '([a-z]+)';$/gm, 'const  $1 =    __$2;');
		return { ast: espree.parse(script, { ...options, sourceType: 'script', ecmaFeatures: { globalReturn: true } }) };
	}
};

/* Tabs at the start of a line, and no white space at its end. */
const layout = {
	rules: {
		tabs: {
			create: context => ({
				Program() {
					context.sourceCode.lines.forEach((line, place) => {
						const at = { line: place + 1, column: 0 };
						if (/^ +[^ *]/.test(line))
							context.report({ loc: at, message: 'Lines are indented with tabs' });
						if (/\s$/.test(line))
							context.report({ loc: at, message: 'White space at the end of a line' });
					});
				}
			})
		},
		/* Names are those of the browser, of LuCI, or asked for; what is asked for is used. */
		names: {
			create: context => ({
				'Program:exit'(program) {
					const wanted = required(program);
					const open = context.sourceCode.scopeManager.globalScope.through;
					for (const { identifier } of open)
						if (!wanted.some(one => one.as === identifier.name))
							context.report({ node: identifier, message: `'${identifier.name}' is not defined` });
					const all = context.sourceCode.ast.tokens.filter(token => token.type === 'Identifier').map(token => token.value);
					for (const { as, node } of wanted)
						if (!all.includes(as))
							context.report({ node, message: `'${as}' is asked for and not used` });
				}
			})
		},
		/* A bare string is markup in LuCI: what is shown stands in a list. */
		'text-in-lists': {
			create: context => ({
				'CallExpression[callee.name="E"]'(node) {
					const last = node.arguments.at(-1);
					if (node.arguments.length > 1 && [ 'TemplateLiteral', 'BinaryExpression' ].includes(last.type))
						context.report({ node: last, message: 'Text is put into a list: E(…, [ text ])' });
				},
				'AssignmentExpression[left.property.name=/^(?:innerHTML|outerHTML)$/]'(node) {
					context.report({ node, message: 'Elements are made with E()' });
				}
			})
		}
	}
};

export default [
	{ linterOptions: { reportUnusedDisableDirectives: 'off' } },
	{ ignores: [ '**/node_modules/**' ] },
	{
		files: [ 'openwrt/luci-app-siproxd/**/*.js', 'tests/luci/standin/**/*.js', 'tests/luci/rig/**/*.js' ],
		languageOptions: {
			ecmaVersion: 2022, sourceType: 'script', globals: { ...globals.browser, ...LUCI },
			parserOptions: { ecmaFeatures: { globalReturn: true } }
		},
		plugins: { luci: layout },
		rules: { ...rules, 'no-undef': 'off', 'luci/tabs': 'error', 'luci/names': 'error' }
	},
	{
		files: [ 'openwrt/luci-app-siproxd/**/*.js' ],
		rules: { 'luci/text-in-lists': 'error' }
	},
	{
		// What ucode and JavaScript have in common.
		files: [ 'openwrt/luci-app-siproxd/**/*.uc' ],
		languageOptions: { ecmaVersion: 2022, sourceType: 'script', globals: { ...UCODE, ...readonly([ '__fs', '__uci' ]) }, parser: ucodeParser },
		plugins: { luci: layout },
		rules: { ...rules, 'luci/tabs': 'error' }
	},
	{
		files: [ 'tests/luci/**/*.mjs' ],
		languageOptions: { ecmaVersion: 2024, sourceType: 'module', globals: globals.node },
		plugins: { luci: layout },
		rules: { ...rules, 'luci/tabs': 'error' }
	}
];
