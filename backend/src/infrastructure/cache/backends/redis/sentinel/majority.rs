//! Counting the answers of the Sentinels.
//!
//! Come here to change how many must agree. The answers are fetched in `ask`.

use super::term::Master;

/// The answer of one Sentinel: the master, or the reason that there is none.
pub(super) type Answer = Result<Master, String>;

/// The master that more than half of all Sentinels name. A missing answer is `None`.
///
/// # Errors
/// No master has a majority. The error says how many answered, and one reason of a Sentinel that did not.
pub(super) fn majority(answers: &[Option<Answer>]) -> Result<Master, String> {
    let given = || answers.iter().flatten();
    let named = || given().filter_map(|answer| answer.as_ref().ok());
    let has_majority = |master: &&Master| {
        let votes = named().filter(|other| other == master).count();
        2 * votes > answers.len()
    };
    if let Some(master) = named().find(has_majority) {
        return Ok(master.clone());
    }
    let (answered, all) = (named().count(), answers.len());
    let reason = given().find_map(|answer| answer.as_ref().err());
    Err(match reason {
        Some(reason) => format!(
            "no majority of the Sentinels names a master: {answered} of {all} name one; {reason}"
        ),
        None => "no majority of the Sentinels names the same master".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn master(port: u16) -> Master {
        Master {
            host: "10.0.0.1".to_owned(),
            port,
            failover: 0,
        }
    }

    fn silent() -> Answer {
        Err("10.0.0.9:26379: no answer".to_owned())
    }

    fn majority(answers: &[Answer]) -> Result<Master, String> {
        let answers: Vec<_> = answers.iter().cloned().map(Some).collect();
        super::majority(&answers)
    }

    #[test]
    fn c60_a_master_is_believed_if_more_than_half_of_all_sentinels_name_it() {
        let one = || Ok(master(1));
        assert_eq!(majority(&[one()]), one());
        assert_eq!(majority(&[one(), one(), silent()]), one());
        assert_eq!(
            majority(&[silent(), one(), one(), Ok(master(2))]).ok(),
            None
        );
        let error = majority(&[one(), silent(), silent()]).unwrap_err();
        assert!(
            error.contains("1 of 3") && error.contains("10.0.0.9:26379"),
            "{error}"
        );
        assert!(majority(&[one(), Ok(master(2))]).is_err());
        assert!(majority(&[]).is_err());
        let early = super::majority(&[Some(one()), None, Some(one())]);
        assert_eq!(early, one(), "the last answer changes nothing");
        assert!(super::majority(&[Some(one()), None, None]).is_err());
    }

    #[test]
    fn c60_the_same_address_after_another_failover_is_another_master() {
        let again = Master {
            failover: 2,
            ..master(1)
        };
        assert!(majority(&[Ok(master(1)), Ok(again)]).is_err());
    }

    proptest! {
        #[test]
        fn c60_sentinels_that_never_return_to_an_earlier_master_give_no_later_question_the_earlier_one(
            // When each Sentinel learns of the failover, and when it answers the first and the second question. Every first
            // answer comes before every second one.
            times in proptest::collection::vec((0_u8..25, 0_u8..10, 10_u8..20), 1..8),
        ) {
            let asked = |when: fn(&(u8, u8, u8)) -> u8| -> Vec<Answer> {
                times.iter().map(|time| Ok(master(if when(time) < time.0 { 1 } else { 2 }))).collect()
            };
            let (first, second) = (asked(|time| time.1), asked(|time| time.2));
            if majority(&first).is_ok_and(|named| named.port == 2) {
                prop_assert!(majority(&second).is_ok_and(|named| named.port == 2));
            }
        }
    }
}
