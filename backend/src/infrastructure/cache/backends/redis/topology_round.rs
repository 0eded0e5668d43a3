//! One question to all Sentinels, or to all listed nodes of a Cluster.
//!
//! Come here when one that is silent delays the others. The questions are in `sentinel::ask` and `cluster::ask`; which answer is
//! believed is decided in `sentinel::watch` and `cluster::seen`.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// Asks all at once. Gives `note` the answers so far whenever one arrives, each at the place of its question; a missing one is
/// `None`. So a majority decides before the last one answers. Each question must have a deadline of its own.
pub(super) async fn ask_all<T>(
    questions: impl IntoIterator<Item = impl Future<Output = T>>,
    mut note: impl FnMut(&[Option<T>]),
) {
    let questions = questions.into_iter().enumerate();
    let mut open: FuturesUnordered<_> = questions
        .map(|(place, question)| async move { (place, question.await) })
        .collect();
    let mut answers: Vec<Option<T>> = (0..open.len()).map(|_| None).collect();
    while let Some((place, answer)) = open.next().await {
        answers[place] = Some(answer);
        note(&answers);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::watchdog;

    #[tokio::test]
    async fn c60_the_answers_so_far_are_noted_while_one_is_missing() {
        watchdog::watch();
        let noted_two = Semaphore::new(0);
        let questions = (0..3).map(|number| {
            let noted_two = &noted_two;
            async move {
                if number == 1 {
                    // It answers when the others have been noted.
                    let noted = noted_two.acquire().await;
                    noted.expect("open").forget();
                }
                number
            }
        });
        let mut last = Vec::new();
        ask_all(questions, |answers| {
            last = answers.to_vec();
            if last == [Some(0), None, Some(2)] {
                noted_two.add_permits(1);
            }
        })
        .await;
        assert_eq!(last, [Some(0), Some(1), Some(2)]);
    }
}
