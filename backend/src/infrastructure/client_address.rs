//! The address of the client that sent a request, also behind proxies.
//!
//! Come here when clients are limited or logged under the address of a proxy. A header counts only where a trusted
//! proxy wrote it, because any client can send `X-Forwarded-For`. No client is limited here.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::dev::Payload;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};
use actix_web::{Error, FromRequest, HttpRequest, web};
use serde::Deserialize;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The most hops that are looked at.
const MOST_HOPS: usize = 32;

/// The address that a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address of this machine: for work that no client asked for.
    pub const LOCAL: Self = Self(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// The address that limits count as one client: an IPv4 address, or the IPv6 network of 64 bits, whose addresses
    /// all belong to one client.
    #[must_use]
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address @ IpAddr::V4(_) => address,
        }
    }

    /// The address that a request came from.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        match request.app_data::<web::Data<TrustedProxies>>() {
            Some(proxies) => proxies.client_of(request),
            None => TrustedProxies::default().client_of(request),
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromRequest for ClientAddress {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// The trusted proxies (`TRUSTED_PROXIES`): the addresses and networks whose `X-Forwarded-*` or `Forwarded` header
/// counts. None by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxies(Vec<Network>);

#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl TryFrom<String> for TrustedProxies {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let networks: Option<Vec<Network>> = names.map(Network::parse).collect();
        networks
            .map(Self)
            .ok_or("not a list of addresses and networks")
    }
}

impl TrustedProxies {
    /// Whether no proxy is trusted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address that a request came from.
    #[must_use]
    pub fn client_of(&self, request: &HttpRequest) -> ClientAddress {
        let peer = request
            .peer_addr()
            .map_or(ClientAddress::LOCAL.0, |peer| peer.ip());
        ClientAddress(self.client_behind(peer.to_canonical(), request.headers()))
    }

    /// Whether a trusted proxy says that the client's own connection is encrypted: the first one in `X-Forwarded-Proto`, or
    /// in `Forwarded` where there is no such header.
    #[must_use]
    pub fn say_that_it_came_by_tls(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        if !self.trusts(peer.to_canonical()) {
            return false;
        }
        let first = |name| headers.get(name)?.to_str().ok()?.split(',').next();
        let scheme = first(X_FORWARDED_PROTO)
            .or_else(|| parameter(first(FORWARDED)?, "proto"))
            .unwrap_or_default();
        scheme.trim().eq_ignore_ascii_case("https")
    }

    /// The client of a connection from this peer: the last hop that is no trusted proxy. `X-Forwarded-For` is read where
    /// there is one, and `Forwarded` (RFC 7239) otherwise.
    fn client_behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        for hop in hops(headers).into_iter().rev().take(MOST_HOPS) {
            // The remaining hops were written by a client, or are no addresses. The last trusted proxy is the best
            // known address.
            let Some(address) = hop else { return client };
            client = address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let difference = own.to_bits() ^ other.to_bits();
                difference.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let difference = own.to_bits() ^ other.to_bits();
                difference.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// The hops in the headers, beginning with the client; `None` for a hop that is no address.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let of = |name: HeaderName| headers.get_all(name).filter_map(|line| line.to_str().ok());
    if headers.contains_key(X_FORWARDED_FOR) {
        let lines = of(X_FORWARDED_FOR);
        return lines
            .flat_map(|line| line.split(',').map(address))
            .collect();
    }
    let lines = of(FORWARDED);
    lines
        .flat_map(|line| line.split(',').map(forwarded_for))
        .collect()
}

/// The address in an element of `Forwarded`: `for=192.0.2.1;proto=https`, `For="[2001:db8::1]:4711"`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    address(parameter(element, "for")?)
}

/// The value of a parameter in an element of `Forwarded`.
fn parameter<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, which may have a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let parsed: Option<IpAddr> = text.parse().ok();
    let parsed = parsed.or_else(|| {
        text.parse::<std::net::SocketAddr>()
            .ok()
            .map(|with| with.ip())
    });
    let parsed = parsed.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    parsed.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(proxies: &str, peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = TrustedProxies::try_from(proxies.to_owned()).unwrap();
        let mut request = TestRequest::default();
        for header in headers {
            request = request.append_header(*header);
        }
        let request = request.to_http_request();
        proxies
            .client_behind(peer.parse().unwrap(), request.headers())
            .to_string()
    }

    #[test]
    fn no_client_chooses_its_own_address() {
        let header = [("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("", "192.0.2.1", &header), "192.0.2.1");
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", &header), "192.0.2.1");
        let forged = [("x-forwarded-for", "198.51.100.7, 203.0.113.9")];
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &forged), "203.0.113.9");
        let two = [
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-for", "203.0.113.9, 10.9.9.9"),
        ];
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &two), "203.0.113.9");
        let both = [
            ("forwarded", "for=198.51.100.7"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        assert_eq!(client("10.1.2.3", "10.1.2.3", &both), "203.0.113.9");
        let nonsense = [("x-forwarded-for", "203.0.113.9, unknown")];
        assert_eq!(client("10.1.2.3", "10.1.2.3", &nonsense), "10.1.2.3");
    }

    #[test]
    fn a_trusted_proxy_names_the_client_in_either_header() {
        for (header, expected) in [
            (("x-forwarded-for", "203.0.113.9:4711"), "203.0.113.9"),
            (("x-forwarded-for", "2001:db8::1"), "2001:db8::1"),
            (("x-forwarded-for", "::ffff:203.0.113.9"), "203.0.113.9"),
            (("forwarded", "for=203.0.113.9;proto=https"), "203.0.113.9"),
            (
                ("forwarded", "proto=http; For=\"[2001:db8::1]:4711\""),
                "2001:db8::1",
            ),
            (("accept", "*/*"), "::1"),
        ] {
            assert_eq!(client("::1, fd00::/8", "::1", &[header]), expected);
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_that_a_request_came_by_tls() {
        let says = |peer: &str, name: &str, value: &str| {
            let proxies = TrustedProxies::try_from("10.0.0.0/8".to_owned()).unwrap();
            let request = TestRequest::default().append_header((name, value));
            proxies
                .say_that_it_came_by_tls(peer.parse().unwrap(), request.to_http_request().headers())
        };
        for (name, value, expected) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS, http", true),
            ("x-forwarded-proto", "http, https", false),
            ("forwarded", "for=192.0.2.1;proto=https", true),
            (
                "forwarded",
                "for=192.0.2.1; Proto=\"https\", proto=http",
                true,
            ),
            ("forwarded", "for=192.0.2.1", false),
            ("accept", "https", false),
        ] {
            assert_eq!(says("10.1.2.3", name, value), expected, "{name}: {value}");
            assert_eq!(says("::ffff:10.1.2.3", name, value), expected);
            assert!(!says("192.0.2.1", name, value));
        }
    }

    #[test]
    fn a_text_that_is_no_network_is_refused() {
        for wrong in [
            "proxy",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/8/8",
        ] {
            assert!(
                TrustedProxies::try_from(wrong.to_owned()).is_err(),
                "{wrong}"
            );
        }
        assert!(TrustedProxies::try_from("0.0.0.0/0, ::/0".to_owned()).is_ok());
    }

    #[test]
    fn addresses_of_one_network_of_version_6_are_one_client() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
