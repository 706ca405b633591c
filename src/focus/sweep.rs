//! Where the lens makes a part of the picture sharpest: which positions are tried, and what their scores say.

use serde::Serialize;
use std::ops::RangeInclusive;

/// Dioptres between two positions of the first pass, over the whole range.
const COARSE: f64 = 0.5;
/// Dioptres between two positions of the second pass, round the best of the first, and how far it reaches.
const FINE: f64 = 0.1;
const FINE_REACH: f64 = 1.0;
/// A lens that reports a position this near to the one that was asked for has arrived.
const ARRIVED: f64 = 0.02;
/// Frames at a position: the lens may still be moving in the first one.
const FRAMES: usize = 2;
/// A lens that has not arrived after this many frames never will.
const MOST_FRAMES: usize = 40;
/// Scores to each side of the highest one through which the parabola goes.
const PARABOLA_REACH: usize = 3;
/// Curves whose height is less than this many times their noise say nothing: of 36 of flat scenes none reached 8.
pub const LEAST_CONFIDENCE: f64 = 10.0;
/// A score that is lower than this fraction of the curve's highest one is not that of the same scene.
const LEAST_VERIFIED: f64 = 0.8;
/// A second peak counts from this fraction of the highest one's height on, and where the curve goes down between them to
/// this fraction of its own.
const SECOND_PEAK: f64 = 0.5;
const VALLEY: f64 = 0.5;

/// Lens positions in dioptres with their scores, by position.
pub type Curve = Vec<(f64, f64)>;

/// One sweep: told each frame's lens position and score, it says where the lens is to go.
pub struct Sweep {
    range: RangeInclusive<f64>,
    stage: Stage,
    /// Positions still to be tried, the next one last.
    ahead: Vec<f64>,
    at: f64,
    /// Frames since the lens was sent to `at`, and those of them with the lens there.
    frames: usize,
    arrived: usize,
    coarse: Curve,
    fine: Curve,
    best: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Coarse,
    Fine,
    Verify,
}

/// What is to be done after a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing: the next frame says more.
    Wait,
    /// The lens is to go to this position, dioptres.
    Move(f64),
    /// The sweep is over.
    Done(Verdict),
}

/// What came of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result")]
pub enum Verdict {
    /// The lens is where the window is sharpest.
    #[serde(rename = "sharp")]
    Sharp {
        /// The position, dioptres.
        best: f64,
        /// The score there over the highest one of the curve.
        verified: f64,
        /// The curve's height over its noise.
        confidence: f64,
    },
    /// The window shows too little for its sharpness to be told from noise.
    #[serde(rename = "too little detail")]
    TooLittle {
        /// The curve's height over its noise.
        confidence: f64,
    },
    /// The window shows something at two distances, a pane of glass perhaps.
    #[serde(rename = "two peaks")]
    TwoPeaks {
        /// Their positions, dioptres, the sharper one first.
        peaks: [f64; 2],
        /// The curve's height over its noise.
        confidence: f64,
    },
    /// Where the window was sharpest, it was not when it was measured again: something moved.
    #[serde(rename = "the scene changed")]
    Changed {
        /// The score there over the highest one of the curve.
        verified: f64,
    },
    /// The lens did not go where it was sent to.
    #[serde(rename = "the lens does not move")]
    Stuck,
}

impl Sweep {
    /// A sweep over `range` (dioptres), and the first position.
    pub fn start(range: RangeInclusive<f64>) -> (Self, f64) {
        let mut sweep = Self {
            ahead: positions(&range, COARSE),
            range,
            stage: Stage::Coarse,
            at: 0.0,
            frames: 0,
            arrived: 0,
            coarse: Curve::new(),
            fine: Curve::new(),
            best: 0.0,
        };
        let first = *sweep.range.start();
        sweep.ahead.pop();
        sweep.at = first;
        (sweep, first)
    }

    /// Everything that was measured, by position.
    pub fn curve(&self) -> Curve {
        let mut curve = [self.coarse.as_slice(), &self.fine].concat();
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        curve
    }

    /// A frame came: with the lens at `lens` (dioptres), and this score.
    pub fn frame(&mut self, lens: f64, score: f64) -> Step {
        self.frames += 1;
        if (lens - self.at).abs() > ARRIVED {
            self.arrived = 0;
            return match self.frames >= MOST_FRAMES {
                true => Step::Done(Verdict::Stuck),
                false => Step::Wait,
            };
        }
        self.arrived += 1;
        if self.arrived < FRAMES {
            return Step::Wait;
        }
        match self.stage {
            Stage::Coarse => self.coarse.push((self.at, score)),
            Stage::Fine => self.fine.push((self.at, score)),
            Stage::Verify => return Step::Done(self.verdict(score)),
        }
        if let Some(next) = self.ahead.pop() {
            return self.go(next);
        }
        match self.stage {
            Stage::Coarse => {
                self.stage = Stage::Fine;
                let (rough, _) = self.coarse[highest(&self.coarse)];
                let from = (rough - FINE_REACH).max(*self.range.start());
                let to = (rough + FINE_REACH).min(*self.range.end());
                self.ahead = positions(&(from..=to), FINE);
                let first = self.ahead.pop().unwrap_or(rough);
                self.go(first)
            }
            _ if confidence(&self.fine) < LEAST_CONFIDENCE => {
                let confidence = confidence(&self.fine);
                Step::Done(Verdict::TooLittle { confidence })
            }
            _ => {
                self.stage = Stage::Verify;
                self.best = top(&self.fine).clamp(*self.range.start(), *self.range.end());
                self.go(self.best)
            }
        }
    }

    fn go(&mut self, position: f64) -> Step {
        self.at = position;
        self.frames = 0;
        self.arrived = 0;
        Step::Move(position)
    }

    fn verdict(&self, score: f64) -> Verdict {
        let confidence = confidence(&self.fine);
        let (_, height) = self.fine[highest(&self.fine)];
        match second_peak(&self.coarse) {
            Some(other) => Verdict::TwoPeaks {
                peaks: [self.best, other],
                confidence,
            },
            None if score < LEAST_VERIFIED * height => Verdict::Changed {
                verified: score / height,
            },
            None => Verdict::Sharp {
                best: self.best,
                verified: score / height,
                confidence,
            },
        }
    }
}

/// The positions in `range` with this `step` and its end, the first one last.
fn positions(range: &RangeInclusive<f64>, step: f64) -> Vec<f64> {
    let length = range.end() - range.start();
    let steps = (length / step - 1e-9).ceil().max(0.0) as usize;
    let at = |index: usize| (range.start() + step * index as f64).min(*range.end());
    // In thousandths: what the lens is asked for can be read.
    let round = |position: f64| (position * 1000.0).round() / 1000.0;
    (0..=steps).rev().map(|index| round(at(index))).collect()
}

fn highest(curve: &Curve) -> usize {
    let scores = curve.iter().enumerate();
    let highest = scores.max_by(|a, b| a.1.1.total_cmp(&b.1.1));
    highest.map_or(0, |(index, _)| index)
}

/// The curve's height over its noise, which is what third differences leave of it.
fn confidence(curve: &Curve) -> f64 {
    let scores: Vec<f64> = curve.iter().map(|&(_, score)| score).collect();
    let mut left: Vec<f64> = scores
        .windows(4)
        .map(|it| (it[3] - 3.0 * it[2] + 3.0 * it[1] - it[0]).abs())
        .collect();
    if left.is_empty() {
        return 0.0;
    }
    left.sort_by(f64::total_cmp);
    // A normal distribution's median is 0.6745 of its deviation; the differences' deviation is √20 of the scores'.
    let noise = left[left.len() / 2] / 0.6745 / 20f64.sqrt();
    let (low, high) = extent(&scores);
    match high > low {
        true => (high - low) / noise.max((high - low) * 1e-6),
        false => 0.0,
    }
}

fn extent(scores: &[f64]) -> (f64, f64) {
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// The vertex of the parabola through the scores round the highest one, by least squares; the highest one's position
/// where that opens upwards.
fn top(curve: &Curve) -> f64 {
    let index = highest(curve);
    let from = index.saturating_sub(PARABOLA_REACH);
    let to = (index + PARABOLA_REACH + 1).min(curve.len());
    let points = &curve[from..to];
    let count = points.len() as f64;
    let middle = points.iter().map(|point| point.0).sum::<f64>() / count;
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        points.iter().map(|&(x, y)| of(x - middle, y)).sum()
    };
    let (x2, x3, x4) = (
        sum(&|x, _| x * x),
        sum(&|x, _| x.powi(3)),
        sum(&|x, _| x.powi(4)),
    );
    let (y, xy, x2y) = (sum(&|_, y| y), sum(&|x, y| x * y), sum(&|x, y| x * x * y));
    let determinant = count * (x2 * x4 - x3 * x3) - x2.powi(3);
    let square = (count * (x2 * x2y - x3 * xy) - x2 * x2 * y) / determinant;
    let linear = (xy - square * x3) / x2;
    match square < 0.0 {
        true => (middle - linear / (2.0 * square)).clamp(points[0].0, points[points.len() - 1].0),
        false => curve[index].0,
    }
}

/// The position of a peak besides the highest one.
fn second_peak(curve: &Curve) -> Option<f64> {
    let main = highest(curve);
    let scores: Vec<f64> = curve.iter().map(|&(_, score)| score).collect();
    let (low, high) = extent(&scores);
    let is_peak = |index: usize| {
        let (from, to) = (index.min(main), index.max(main));
        let (valley, _) = extent(&scores[from..=to]);
        let height = scores[index] - low;
        height >= SECOND_PEAK * (high - low) && valley - low <= VALLEY * height
    };
    let others = (0..scores.len()).filter(|&index| index != main && is_peak(index));
    let second = others.max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    second.map(|index| curve[index].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sweeps 0 to 15 dioptres with a lens that needs three frames to follow, in a scene with these scores.
    fn swept(mut score: impl FnMut(f64) -> f64) -> (Verdict, Sweep, usize) {
        let (mut sweep, mut target) = Sweep::start(0.0..=15.0);
        let mut on_the_way = std::collections::VecDeque::from([0.0; 3]);
        for frames in 1.. {
            on_the_way.push_back(target);
            let lens = on_the_way.pop_front().unwrap();
            match sweep.frame(lens, score(lens)) {
                Step::Wait => {}
                Step::Move(position) => target = position,
                Step::Done(verdict) => return (verdict, sweep, frames),
            }
        }
        unreachable!()
    }

    /// The score of detail at `distance` dioptres, as defocus takes it away.
    fn detail(lens: f64, distance: f64) -> f64 {
        100.0 / (1.0 + ((lens - distance) / 0.6).powi(2))
    }

    fn noise() -> impl FnMut() -> f64 {
        let mut state = 1u64;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as f64 / (1u64 << 31) as f64 - 0.5
        }
    }

    #[test]
    fn the_sharpest_position_is_found_within_a_tenth_of_a_dioptre() {
        for distance in [0.0, 0.07, 1.234, 2.35, 7.77, 14.95, 15.0] {
            let mut noise = noise();
            let (verdict, sweep, frames) = swept(|lens| 5.0 + detail(lens, distance) + noise());
            let Verdict::Sharp {
                best,
                verified,
                confidence,
            } = verdict
            else {
                panic!("{distance}: {verdict:?}");
            };
            assert!((best - distance).abs() < 0.1, "{best} {distance}");
            assert!(
                verified > 0.95 && confidence > LEAST_CONFIDENCE,
                "{verified} {confidence}"
            );
            let curve = sweep.curve();
            assert!(
                curve.windows(2).all(|pair| pair[0].0 <= pair[1].0) && frames < 300,
                "{frames}"
            );
        }
    }

    #[test]
    fn nothing_to_see_and_two_things_to_see_are_told() {
        let mut noise = noise();
        let (flat, ..) = swept(|_| 5.0 + noise());
        assert!(
            matches!(flat, Verdict::TooLittle { confidence } if confidence < LEAST_CONFIDENCE),
            "{flat:?}"
        );
        let (dark, ..) = swept(|_| 0.0);
        assert_eq!(dark, Verdict::TooLittle { confidence: 0.0 });
        let (glass, ..) = swept(|lens| detail(lens, 2.35) + 0.7 * detail(lens, 9.8));
        let Verdict::TwoPeaks { peaks, .. } = glass else {
            panic!("{glass:?}");
        };
        assert!(
            (peaks[0] - 2.35).abs() < 0.1 && (peaks[1] - 9.8).abs() < 0.5,
            "{peaks:?}"
        );
    }

    #[test]
    fn something_that_moves_through_the_window_is_no_sharpness() {
        let mut frames = 0;
        let (verdict, ..) = swept(|_| {
            frames += 1;
            if (20..40).contains(&frames) {
                50.0
            } else {
                5.0 + f64::from(frames % 3)
            }
        });
        assert!(!matches!(verdict, Verdict::Sharp { .. }), "{verdict:?}");
    }

    #[test]
    fn a_lens_that_does_not_move_is_told() {
        let (mut sweep, _) = Sweep::start(1.0..=2.0);
        let mut steps = 0;
        while sweep.frame(0.0, 1.0) == Step::Wait {
            steps += 1;
            assert!(steps <= MOST_FRAMES);
        }
        assert_eq!(sweep.frame(0.0, 1.0), Step::Done(Verdict::Stuck));
    }

    #[test]
    fn a_short_range_is_swept_to_its_ends() {
        let mut positions = positions(&(1.0..=2.2), 0.5);
        positions.reverse();
        assert_eq!(positions, [1.0, 1.5, 2.0, 2.2]);
        assert_eq!(super::positions(&(1.0..=1.0), 0.5), [1.0]);
    }
}
