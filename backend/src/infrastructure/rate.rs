//! A number of requests in a time, such as `100/minute` (`RATE_LIMIT`).
//!
//! Come here to change how a rate is written. Requests are counted in `rate_limit`, not here. This file imports
//! nothing of the crate, so that the settings may import it.

use std::num::NonZeroU32;

use serde::Deserialize;

/// The most requests in one time.
const MOST: u32 = 1_000_000;

/// A number of requests in a second, minute, hour or day.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Rate {
    /// Requests, from 1 to 1 000 000.
    pub requests: NonZeroU32,
    /// The time in seconds.
    pub seconds: u32,
}

impl TryFrom<String> for Rate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse(&text).ok_or("not a rate such as `100/minute`")
    }
}

fn parse(text: &str) -> Option<Rate> {
    let (requests, unit) = text.split_once('/')?;
    let requests = requests.trim();
    let seconds = match unit.trim() {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    };
    // Digits only: `parse` would accept a plus sign.
    let is_number = requests.bytes().all(|byte| byte.is_ascii_digit());
    let requests: NonZeroU32 = requests.parse().ok().filter(|_| is_number)?;
    (requests.get() <= MOST).then_some(Rate { requests, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_time() {
        for (text, requests, seconds) in [
            ("1/second", 1, 1),
            ("100/minute", 100, 60),
            ("5 / hour", 5, 3600),
            ("1000000/day", 1_000_000, 86_400),
        ] {
            let rate = parse(text).unwrap();
            assert_eq!((rate.requests.get(), rate.seconds), (requests, seconds));
        }
        for wrong in [
            "",
            "100",
            "/minute",
            "100/",
            "0/minute",
            "-1/minute",
            "+1/minute",
            "1.5/minute",
            "1000001/minute",
            "100/minutes",
            "100/Minute",
            "100/2minute",
            "100/minute/hour",
            "99999999999/day",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
