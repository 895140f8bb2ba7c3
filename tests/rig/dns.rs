//! A nameserver with a few records, for tests that go by more than one address.

/// Type numbers by name (RFC 1035 §3.2.2, RFC 3596, RFC 2782, RFC 3403).
pub const TYPES: [(&str, u16); 5] = [("A", 1), ("CNAME", 5), ("AAAA", 28), ("SRV", 33), ("NAPTR", 35)];

/// Name and type of a query's question.
pub fn question(query: &[u8]) -> (String, u16) {
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let len = usize::from(query[at]);
        name.push_str(&String::from_utf8_lossy(&query[at + 1..=at + len]).to_ascii_lowercase());
        name.push('.');
        at += len + 1;
    }
    (name.trim_end_matches('.').to_owned(), u16::from_be_bytes([query[at + 1], query[at + 2]]))
}

/// An answer to a query for addresses: `address`, or none and "no such name". Other types have no data.
pub fn dns_answer(query: &[u8], address: Option<[u8; 4]>) -> Vec<u8> {
    let records = match (question(query).1, address) {
        (1, Some(address)) => vec![(1, 60, address.to_vec())],
        _ => Vec::new(),
    };
    respond(query, address.is_some(), &records)
}

fn respond(query: &[u8], exists: bool, records: &[(u16, u32, Vec<u8>)]) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] = 0x81;
    answer[3] = if exists { 0x80 } else { 0x83 };
    answer[7] = records.len() as u8;
    for (kind, ttl, data) in records {
        answer.extend_from_slice(&[0xc0, 12]);
        answer.extend_from_slice(&kind.to_be_bytes());
        answer.extend_from_slice(&[0, 1]);
        answer.extend_from_slice(&ttl.to_be_bytes());
        answer.extend_from_slice(&(data.len() as u16).to_be_bytes());
        answer.extend_from_slice(data);
    }
    answer
}

/// What the nameserver knows.
#[derive(Default)]
pub struct Zone {
    /// Name, type, TTL, data.
    records: Vec<(String, u16, u32, Vec<u8>)>,
    /// Whether it hears everything and says nothing.
    pub silent: bool,
}

impl Zone {
    /// Adds a record as a zone file writes it, `provider.example 60 SRV 0 1 5060 one.provider.example`; NAPTR without flags,
    /// regular expression and quotes: `provider.example 60 NAPTR 10 50 SIP+D2U _sip._udp.provider.example`.
    pub fn add(&mut self, words: &[&str]) {
        let number = |n: usize| words[n].parse::<u16>().unwrap().to_be_bytes().to_vec();
        let string = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
        let data = match words[2] {
            "A" => words[3].parse::<core::net::Ipv4Addr>().unwrap().octets().to_vec(),
            "AAAA" => words[3].parse::<core::net::Ipv6Addr>().unwrap().octets().to_vec(),
            "CNAME" => name(words[3]),
            "SRV" => [number(3), number(4), number(5), name(words[6])].concat(),
            "NAPTR" => [number(3), number(4), string("s"), string(words[5]), string(""), name(words[6])].concat(),
            other => panic!("unknown type {other}"),
        };
        let kind = TYPES.iter().find(|(text, _)| *text == words[2]).unwrap().1;
        self.records.push((words[0].to_owned(), kind, words[1].parse().unwrap(), data));
    }

    /// Removes all records of a name.
    pub fn remove(&mut self, name: &str) {
        self.records.retain(|(owner, ..)| owner != name);
    }

    /// The answer to a query.
    pub fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, kind) = question(query);
        let exists = self.records.iter().any(|(owner, ..)| *owner == name || owner.ends_with(&format!(".{name}")));
        let found = self.records.iter().filter(|(owner, k, ..)| *owner == name && *k == kind);
        let found: Vec<_> = found.map(|(_, kind, ttl, data)| (*kind, *ttl, data.clone())).collect();
        (!self.silent).then(|| respond(query, exists, &found))
    }
}

fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}
