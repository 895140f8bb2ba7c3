'use strict';
'require view';
'require rpc';
'require ui';

/* A view of the rig's own tests. */

const getStatus = rpc.declare({ object: 'luci.siproxd', method: 'getStatus', expect: { instances: [] } });

return view.extend({
	load: function() {
		return getStatus();
	},

	render: function(instances) {
		return E('div', { 'class': 'cbi-map' }, [
			E('h2', {}, [ _('Hello') ]),
			E('p', { 'id': 'count' }, [ '%d instances'.format(instances.length) ]),
			E('p', { 'id': 'list' }, [ '<b>as text</b>' ]),
			E('p', { 'id': 'bare' }, '<b>as markup</b>'),
			E('button', { 'id': 'notify', 'class': 'btn', 'click': ui.createHandlerFn(this, () => ui.addNotification(null, E('p', [ 'noted' ]))) }, [ 'Notify' ])
		]);
	},

	handleSave: null, handleSaveApply: null, handleReset: null
});
