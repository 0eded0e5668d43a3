//! One direction of a proxied connection, with the fault of its mode.
//!
//! Come here for how a fault is made. Which connection has which fault is in `proxy`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::proxy::Mode;
use super::replies::{before, first_reply, replies};

/// The direction, and the counter of its bytes.
pub enum Direction {
    Questions {
        used: Arc<AtomicU64>,
        clock: Arc<AtomicU64>,
    },
    Answers {
        /// The counter of pieces that are held back.
        held: watch::Sender<usize>,
        replies: u64,
    },
}

impl Direction {
    fn note(&self, mode: Mode) {
        match self {
            Self::Questions { used, clock } => {
                used.store(clock.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            }
            Self::Answers { held, .. } if mode == Mode::HoldAnswers => {
                held.send_modify(|held| *held += 1);
            }
            Self::Answers { .. } => {}
        }
    }

    fn is_answers(&self) -> bool {
        matches!(self, Self::Answers { .. })
    }

    /// Removes one reply in this many, of those that begin a piece.
    fn swallow(&mut self, piece: &mut Vec<u8>, one_of: u64) {
        if let Self::Answers { replies, .. } = self {
            *replies += 1;
            if *replies % one_of == 0
                && let Some(length) = first_reply(piece)
            {
                piece.drain(..length);
            }
        }
    }
}

/// Copies the bytes until one side ends.
pub async fn copy(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    mut direction: Direction,
) {
    let answers = direction.is_answers();
    // Delayed pieces keep their distance: a slow line, not a narrow one.
    let (pieces, mut later) = tokio::sync::mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(1024);
    let to = Arc::new(tokio::sync::Mutex::new(to));
    let writer = Arc::clone(&to);
    let writing = async move {
        while let Some((when, piece)) = later.recv().await {
            tokio::time::sleep_until(when).await;
            if writer.lock().await.write_all(&piece).await.is_err() {
                break;
            }
        }
    };
    let reading = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let mut piece = buffer[..length].to_vec();
            direction.note(*modes.borrow());
            let holds = |mode: &Mode| *mode == Mode::HoldAnswers && answers;
            let passes = |mode: &Mode| *mode != Mode::Stall && !holds(mode);
            if modes.wait_for(passes).await.is_err() {
                return;
            }
            let mode = *modes.borrow();
            if mode == Mode::Forget {
                continue;
            }
            let now = tokio::time::Instant::now();
            let when = match mode {
                Mode::Delay(by) if !answers => now + by,
                Mode::DelayAnswers(by) if answers => now + by,
                _ => now,
            };
            match mode {
                Mode::Garbage if answers => piece = b"\x00\xff no such protocol \r\n".repeat(3),
                Mode::SwallowReplies(one_of) => direction.swallow(&mut piece, one_of),
                Mode::Say(reply) if answers => piece = reply.repeat(replies(&piece)).into_bytes(),
                Mode::CutBefore(word) if !answers => {
                    if let Some(length) = before(&piece, word) {
                        let _ = to.lock().await.write_all(&piece[..length]).await;
                        return;
                    }
                }
                Mode::CutAnswers if answers => {
                    let half = piece.len() / 2;
                    let _ = to.lock().await.write_all(&piece[..half]).await;
                    return;
                }
                _ => {}
            }
            if pieces.send((when, piece)).await.is_err() {
                return;
            }
        }
    };
    let mut writing = std::pin::pin!(writing);
    tokio::select! {
        () = &mut writing => {}
        // The bytes that were read are still forwarded.
        () = reading => writing.await,
    }
}
