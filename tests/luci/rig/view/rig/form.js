'use strict';
'require view';
'require form';
'require tools.widgets as widgets';

/* A form with one of each, for the rig's own tests. */

return view.extend({
	render: function() {
		const map = new form.Map('siproxd', 'A form');
		let section = map.section(form.NamedSection, 'general', 'siproxd');
		let option;

		section.tab('one', 'One');
		section.tab('two', 'Two');
		section.tab('empty', 'Empty');

		option = section.taboption('one', form.Flag, 'use', 'Use it');
		option.rmempty = false;

		option = section.taboption('one', form.Value, 'port', 'Port');
		option.datatype = 'port';
		option.placeholder = '5060';
		option.depends('use', '1');

		option = section.taboption('one', form.Value, 'secret', 'Secret');
		option.password = true;
		option.validate = (section_id, value) => value !== 'secret' || 'not that one';

		option = section.taboption('two', form.ListValue, 'kind', 'Kind');
		option.value('', 'none');
		option.value('a', 'first');
		option.value('b', 'second');

		section.taboption('two', form.DynamicList, 'hosts', 'Hosts').datatype = 'host';
		section.taboption('two', widgets.NetworkSelect, 'interface_inbound', 'Network');

		option = section.taboption('two', form.MultiValue, 'many', 'Many');
		option.value('x');
		option.value('y');

		section.taboption('two', form.TextValue, 'text', 'Text');

		option = section.taboption('two', form.DummyValue, 'shown', 'Shown');
		option.cfgvalue = () => '<b>as text</b>';

		section = map.section(form.TableSection, 'rule', 'Rules');
		section.addremove = true;
		section.anonymous = true;
		section.sortable = true;
		section.option(form.Value, 'name', 'Name').rmempty = true;

		section = map.section(form.GridSection, 'line', 'Lines');
		section.addremove = true;
		section.option(form.Value, 'name', 'Name');
		section.option(form.Value, 'more', 'More').modalonly = true;

		return map.render();
	}
});
