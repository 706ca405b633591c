//! Noise on a picture, as a sensor's gain brings it.

/// Values that are used again and again, from other places each time.
const TABLE: usize = 1 << 16;
/// Samples that get neighbouring values.
const RUN: usize = 1 << 12;

pub(super) struct Noise {
    deviation: f64,
    table: Vec<i8>,
    state: u64,
}

impl Noise {
    pub(super) fn none() -> Self {
        Self {
            deviation: 0.0,
            table: Vec::new(),
            state: 88_172_645_463_325_252,
        }
    }

    /// Adds noise of this standard deviation.
    pub(super) fn add(&mut self, samples: &mut [u8], deviation: f64) {
        if deviation == 0.0 {
            return;
        }
        if deviation != self.deviation {
            self.table = (0..TABLE)
                .map(|_| (self.gauss() * deviation) as i8)
                .collect();
            self.deviation = deviation;
        }
        for run in samples.chunks_mut(RUN) {
            let start = self.next() as usize % (TABLE - RUN);
            for (sample, noise) in run.iter_mut().zip(&self.table[start..]) {
                *sample = sample.saturating_add_signed(*noise);
            }
        }
    }

    /// A number of about normal distribution and deviation 1: the sum of four uniform ones.
    fn gauss(&mut self) -> f64 {
        let uniform = |bits: u64| (bits >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        let sum: f64 = (0..4).map(|_| uniform(self.next())).sum();
        sum * 3f64.sqrt()
    }

    /// Xorshift (Marsaglia): noise need not surprise anybody.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_deviation_that_is_asked_for_and_differs_each_time() {
        let mut noise = Noise::none();
        for deviation in [2.0, 5.0, 12.0] {
            let mut samples = vec![128; 200_000];
            noise.add(&mut samples, deviation);
            let squares: f64 = samples
                .iter()
                .map(|&it| (f64::from(it) - 128.0).powi(2))
                .sum();
            let seen = (squares / samples.len() as f64).sqrt();
            assert!((seen / deviation - 1.0).abs() < 0.25, "{deviation}: {seen}");
            let before = samples;
            let mut samples = vec![128; 200_000];
            noise.add(&mut samples, deviation);
            assert!(samples != before);
        }
    }
}
