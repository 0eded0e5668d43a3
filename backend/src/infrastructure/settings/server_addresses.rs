//! Lists of servers, such as `CACHE_MEMCACHED_SERVERS`.
//!
//! Come here to change the form of such a list. The variables themselves stand in `cache`.

use crate::cache::ServerAddress;
use crate::cache::backends::MOST_NODES;

/// The servers of a text `host:port,…`; an IPv6 address stands in brackets. `None` where the text has another form, or
/// names a server twice. Host names are lower case, so that two spellings are the same server.
pub(super) fn server_addresses(text: &str) -> Option<Vec<ServerAddress>> {
    let mut servers: Vec<ServerAddress> = Vec::new();
    if text.trim().is_empty() {
        return Some(servers);
    }
    for part in text.split(',') {
        let (host, port) = part.trim().rsplit_once(':')?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let host = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().ok()?.to_string(),
            None if !host.is_empty() && host.bytes().all(is_word) => host.to_ascii_lowercase(),
            None => return None,
        };
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let server = ServerAddress { host, port };
        if servers.contains(&server) {
            return None;
        }
        servers.push(server);
    }
    (servers.len() <= MOST_NODES).then_some(servers)
}

/// The check of such a list.
pub(super) fn addresses<C>(text: &str, _: &C) -> garde::Result {
    match server_addresses(text) {
        Some(_) => Ok(()),
        None => Err(garde::Error::new(format!(
            "host:port separated by commas, each server once and at most {MOST_NODES}, an IPv6 address in brackets"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        let servers = server_addresses(text)?;
        Some(servers.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn c61_servers_are_named_with_their_ports() {
        assert_eq!(names(""), Some(Vec::new()));
        let all = ["cache-1.internal:11211", "10.0.0.2:11212", "[::1]:11211"];
        let text = "Cache-1.internal:11211, 10.0.0.2:11212,[0:0::1]:11211";
        assert_eq!(names(text), Some(all.map(str::to_owned).to_vec()));
        for wrong in [
            "a",
            "a:0",
            "a:70000",
            ":11211",
            "::1:11211",
            "[a]:11211",
            "a:1,",
            "a:1,A:1",
            "a b:1",
        ] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
        let many: Vec<_> = (0..=MOST_NODES)
            .map(|number| format!("a{number}:1"))
            .collect();
        assert_eq!(names(&many.join(",")), None);
    }
}
