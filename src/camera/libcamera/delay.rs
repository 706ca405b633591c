//! Which of the changes of the controls a frame shows: they take a few frames to get there.

use std::collections::VecDeque;

/// Completed requests after the one that carried a change until the picture surely has it. libcamera's image processing has
/// it at once; the sensor takes exposure and gain for the frame after the next one, and the lens is moved meanwhile.
const REQUESTS: usize = 3;

/// Follows the changes, which have numbers that count up.
pub(super) struct Delay {
    /// The newest one that was taken over.
    newest: u64,
    /// The newest one that each request carried, or one before it, by cookie.
    carried: Vec<u64>,
    /// The same of the requests that were completed last, the oldest first.
    completed: VecDeque<u64>,
}

impl Delay {
    /// For this many requests.
    pub(super) fn new(requests: usize) -> Self {
        Self {
            newest: 0,
            carried: vec![0; requests],
            completed: VecDeque::with_capacity(REQUESTS + 1),
        }
    }

    /// This one is carried by the next request.
    pub(super) fn take(&mut self, number: u64) {
        self.newest = number;
    }

    /// A request is queued, with all that was taken.
    pub(super) fn queue(&mut self, cookie: u64) {
        if let Some(carried) = self.carried.get_mut(cookie as usize) {
            *carried = self.newest;
        }
    }

    /// The capture starts with all that was taken.
    pub(super) fn restart(&mut self) {
        self.completed.clear();
        self.completed.resize(REQUESTS, self.newest);
    }

    /// A request is completed. Returns the newest change that its picture shows.
    pub(super) fn complete(&mut self, cookie: u64) -> u64 {
        let carried = self.carried.get(cookie as usize).copied();
        self.completed.push_back(carried.unwrap_or_default());
        match self.completed.len() > REQUESTS {
            true => self.completed.pop_front().unwrap_or_default(),
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_a_few_requests_after_the_one_that_carried_it() {
        let mut delay = Delay::new(2);
        delay.restart();
        let next = |delay: &mut Delay, cookie| {
            delay.queue(cookie);
            delay.complete(cookie)
        };
        assert_eq!(next(&mut delay, 0), 0);
        delay.take(7);
        let shown: Vec<_> = (0..5).map(|at| next(&mut delay, at % 2)).collect();
        assert_eq!(shown, [0, 0, 0, 7, 7]);
        delay.take(8);
        delay.restart();
        assert_eq!(next(&mut delay, 1), 8);
    }
}
