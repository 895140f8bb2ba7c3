// Reads gettext's catalogues.

const unquoted = text => JSON.parse(text.replace(/\\([abfv])/g, '\\\\$1'));

/** `messages` by msgid, with its context before a 0x01, each the list of its forms; `plural` the expression of the header. */
export function parsePo(text) {
	const messages = {};
	let plural = 'n != 1';
	for (const block of text.split(/\n\s*\n/)) {
		if (/^#,.*\bfuzzy\b/m.test(block))
			continue;
		const entry = {};
		let last = null;
		for (const line of block.split('\n')) {
			const match = /^(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)\s+)?(".*")\s*$/.exec(line);
			if (!match)
				continue;
			last = match[1] ?? last;
			entry[last] = (entry[last] ?? '') + unquoted(match[2]);
		}
		const forms = [ entry.msgstr ?? entry['msgstr[0]'], entry['msgstr[1]'], entry['msgstr[2]'] ].filter(one => one !== undefined);
		if (entry.msgid === '')
			plural = /plural=([^;]+);/.exec(forms[0] ?? '')?.[1] ?? plural;
		else if (entry.msgid !== undefined && forms[0])
			messages[entry.msgctxt === undefined ? entry.msgid : `${entry.msgctxt}\u0001${entry.msgid}`] = forms;
	}
	return { messages, plural };
}
