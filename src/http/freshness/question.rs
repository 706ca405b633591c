//! Whether a client that is predicted to read late waits already. OpenCV gives a stream up that keeps it waiting for
//! 30 s, and image_publisher never opens it again: a client that suddenly reads must not wait so long.
//!
//! It is sent a question, header lines that say nothing. A client that waits reads them at once; else its window
//! shrinks by them. The acknowledgement of a probe, sent a moment later, tells.

use super::super::multipart::QUESTION_BYTES;
use super::super::tcp::Info;
use super::Advice;
use crate::clock::Timestamp;
use std::time::Duration;

/// A client is asked first after this time without a frame, and then so often.
const FIRST_QUESTION: Duration = Duration::from_secs(10);
const QUESTION_INTERVAL: Duration = Duration::from_secs(5);
/// It has read the question by then, if it waits.
const ANSWER_TIME: Duration = Duration::from_millis(100);

/// How far the next question to a client that has read all has come.
pub(super) enum Question {
    /// It is to be asked at this moment.
    Next(Timestamp),
    /// It was asked, at this moment and with this window.
    Asked(Timestamp, u32),
    /// It was sent a probe, whose acknowledgement says what has become of that window.
    Probed(Timestamp, u32),
}

/// What is known of a client that was asked whether it waits.
pub(super) enum Answer {
    /// Nothing yet, or not now: what to do next.
    Unknown(Advice),
    Waits,
}

impl Question {
    /// The client has read all, a moment before `now`.
    pub(super) fn after(now: Timestamp) -> Self {
        Question::Next(now.after(FIRST_QUESTION))
    }

    /// The next step, `window` being the client's window now. Asks again at `check` where nothing else is known.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        window: u32,
        info: &Info,
        check: Timestamp,
    ) -> Answer {
        let under_way = info.in_flight || info.unsent > 0;
        match *self {
            Question::Next(at) if now < at => Answer::Unknown(Advice::Wait(at)),
            Question::Next(_) => {
                *self = Question::Asked(now, window);
                Answer::Unknown(Advice::Ask)
            }
            Question::Asked(at, before) if now >= at.after(ANSWER_TIME) && !under_way => {
                *self = Question::Probed(now, before);
                Answer::Unknown(Advice::Probe)
            }
            Question::Probed(at, before) if now > at && !under_way => {
                if window.saturating_add(QUESTION_BYTES / 2) > before {
                    return Answer::Waits;
                }
                let next = at.after(QUESTION_INTERVAL);
                *self = Question::Next(next);
                Answer::Unknown(Advice::Wait(next))
            }
            _ => Answer::Unknown(Advice::Wait(check)),
        }
    }
}
