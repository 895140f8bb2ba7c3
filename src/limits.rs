//! Every compile-time capacity, with its cost beside it.
//!
//! A table never grows beyond its number here. All tables are static and start as zero pages, so that what is not
//! used costs no memory. Run-time directives (`max_calls`, `max_bindings`) only ever lower these.

/// Largest SIP message on UDP in bytes: an IPv4 datagram holds no more (RFC 768).
pub const MAX_DATAGRAM: usize = 65_535;

/// Header lines in one SIP message; a message with more is refused. 12 bytes of stack a line.
pub const MAX_HEADER_LINES: usize = 256;

/// Bytes that the header pre-pass may change and put back in one SIP message: two for each fold or misplaced colon. A
/// message that needs more is refused. 4 bytes of stack each.
pub const MAX_NORMALISED: usize = 1024;

/// Edits in one SIP message, body included. 12 bytes of static memory each.
pub const MAX_EDITS: usize = 192;

/// Bytes that edits may put into one SIP message.
pub const EDIT_ARENA: usize = 8 * 1024;

/// Slices of one outgoing SIP message: an edit cuts the original in two and stands between.
pub const MAX_PARTS: usize = 2 * MAX_EDITS + 1;

/// Largest answer of our own in bytes; a request whose copied headers do not fit is dropped and logged.
pub const MAX_REPLY: usize = 4 * 1024;

/// Bindings: one phone under one address-of-record. About 1,200 bytes each.
pub const MAX_BINDINGS: usize = 512;

/// Bytes of what a registrar's 200 says that a phone needs (Service-Route, P-Associated-URI, GRUUs), kept in each binding for
/// the refreshes that are answered here; where a 200 says more, they go to the registrar.
pub const MAX_GRANTED: usize = 384;

/// Accounts of phones that register at siproxd itself. About 260 bytes each.
pub const MAX_ACCOUNTS: usize = 512;

/// Nonces in use: a phone needs one every five minutes. 24 bytes each.
pub const MAX_NONCES: usize = 256;

/// TCP connections for SIP, accepted and opened ones. About 400 bytes each, and what is in transit: see [`MAX_STREAM_BYTES`].
pub const MAX_CONNECTIONS: usize = 64;

/// Bytes that wait on all TCP connections together: beginnings of messages, and what peers have not taken yet.
pub const MAX_STREAM_BYTES: usize = 1024 * 1024;

/// Bytes that a peer may leave untaken on one TCP connection; then it is closed.
pub const MAX_STREAM_QUEUE: usize = 128 * 1024;

/// TCP connections from strangers on the WAN, and from one of them. Each is closed after some seconds unless it proves itself.
pub const MAX_STRANGER_CONNECTIONS: usize = 8;

/// TCP connections accepted from one address; with one more, the one that was idle longest is closed.
pub const MAX_CONNECTIONS_OF_ONE: usize = 16;

/// Messages kept to be sent again where a reliable leg meets an unreliable one. About 4,200 bytes each.
pub const MAX_KEPT: usize = 64;

/// Bytes of one message kept to be sent again; a larger one is sent once.
pub const MAX_KEPT_BYTES: usize = 4 * 1024;

/// Transactions in flight, each with a hidden Via stack. About 3,300 bytes each.
pub const MAX_TRANSACTIONS: usize = 256;

/// Phones of one address-of-record that ring for one request; each takes a transaction, and one more stands for the sender.
pub const MAX_BRANCHES: usize = 8;

/// Bytes of one hidden Via stack, together with the From and To that were changed on the way out. The longest request of
/// RFC 4475, with 34 Vias, needs 2,800.
pub const MAX_HIDDEN: usize = 3 * 1024;

/// Bytes of the Vias that are sealed into our own. A request with more of them needs a place in the table of transactions.
pub const MAX_SEALED_VIAS: usize = 512;

/// Bytes of Route, From, To and Call-ID that are kept of each party's side of a dialog, for its BYE (`rtp_timeout_bye`). A party that has
/// more gets none.
pub const MAX_DIALOG: usize = 768;

/// Calls with media. About 2,600 bytes each, most of it what their BYEs need.
pub const MAX_CALLS: usize = 512;

/// Relays: one media section of one call, two legs, four sockets. The engine keeps about 60 bytes each, the edge 400.
pub const MAX_RELAYS: usize = 512;

/// Media sections of early dialogs that another early dialog of their INVITE has spoken after. About 700 bytes each.
pub const MAX_EARLY: usize = 64;

/// Longest media datagram that is relayed, in bytes; Ethernet carries 1,472. The relay has sixteen buffers of this size.
pub const MAX_MEDIA_DATAGRAM: usize = 2048;

/// Packets of all calls that wait for their time (`rtp_input_dejitter`, `rtp_output_dejitter`). About 1,500 bytes each, once they have
/// been needed; none where those directives are not set.
pub const MAX_HELD: usize = 4096;

/// Longest packet that waits for its time, in bytes: what Ethernet carries in one datagram over IPv4 (1,500 less 28). A longer one
/// goes on at once.
pub const MAX_HELD_DATAGRAM: usize = 1472;

/// Media sections in one session description that are relayed; further ones are declined with port 0.
pub const MAX_SECTIONS: usize = 8;

/// Requests that wait for a name to be resolved.
pub const MAX_PARKED: usize = 8;

/// Bytes of one parked request; the sender's retransmission brings a larger one back once the name is known.
pub const MAX_PARKED_BYTES: usize = 4 * 1024;

/// Names in the resolver's cache, each with one type of records; a provider takes three to six. About 1,100 bytes each.
pub const MAX_NAMES: usize = 96;

/// Addresses kept for one name, and servers that are tried for one request.
pub const MAX_NAME_ADDRESSES: usize = 8;

/// SRV or NAPTR records kept for one name. 12 bytes each.
pub const MAX_NAME_RECORDS: usize = 8;

/// Bytes of all names that the SRV or NAPTR records of one name point to.
pub const MAX_RECORD_NAMES: usize = 512;

/// Addresses of one side of the router, and prefixes in one list directive.
pub const MAX_PREFIXES: usize = 16;

/// Bytes of a URI that is stored (a phone's Contact, an address-of-record).
pub const MAX_URI: usize = 256;

/// Bytes of a domain name in text form (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 253;

/// Nameservers taken from resolv.conf, as many as the C library takes.
pub const MAX_NAMESERVERS: usize = 3;

/// Sources of each kind (phones, known servers, strangers) whose rate is kept; others have a full bucket. 40 bytes each.
pub const MAX_SOURCES: usize = 64;

/// Servers whose answers are waited for, while they have no registration yet. 17 bytes each.
pub const MAX_ASKED: usize = 32;

/// Sources on each side whose messages were dropped and logged. 32 bytes each.
pub const MAX_TURNED_AWAY: usize = 16;

/// Longest `ua_string` in bytes: a phone's own is seldom longer than 60.
pub const MAX_UA_STRING: usize = 128;

/// Bytes of all domains with an outbound proxy of their own: domain, host, port, and three more each.
pub const MAX_OUTBOUND_DOMAINS: usize = 1024;

/// Bytes of all pairs of `mask_host` and `masked_host`: both names, and two more each.
pub const MAX_MASKED_HOSTS: usize = 512;

/// Hosts by name in one access list. About 300 bytes each, and 150 for where they are.
pub const MAX_ACCESS_NAMES: usize = 4;

/// Entries of `allow_domains`.
pub const MAX_ALLOWED_DOMAINS: usize = 16;

/// Steps of one regular expression: about one for each of its characters, times its repetitions. Running one takes 90 bytes of stack each.
pub const MAX_EXPRESSION: usize = 256;

/// Steps of all expressions of one hook. 6 bytes each.
pub const MAX_EXPRESSION_STEPS: usize = 1024;

/// Different `[...]` in all expressions of one hook. 32 bytes each.
pub const MAX_EXPRESSION_SETS: usize = 32;

/// Rules with a regular expression that one hook may have. 16 bytes each.
pub const MAX_RULES: usize = 16;

/// Bytes of what stands beside the expressions of one hook's rules.
pub const MAX_RULE_TEXT: usize = 1024;

/// Calls that are remembered once they are over. About 350 bytes each.
pub const MAX_HISTORY: usize = 32;

/// Registrations that are remembered once they have failed. About 280 bytes each.
pub const MAX_REFUSALS: usize = 16;

/// Phones that `plugin_blacklist` knows of. About 140 bytes each.
pub const MAX_BLACKLIST: usize = 64;

/// Bytes of a text that a hook is given.
pub const MAX_HOOK_TEXT: usize = 128;

/// Bytes of a list that a hook is given, one more for each entry.
pub const MAX_HOOK_LIST: usize = 4096;
