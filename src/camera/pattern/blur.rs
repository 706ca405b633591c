//! Defocus: a blur of any width, at a cost that does not depend on it.

/// Box filters one after the other come near to a Gaussian.
const PASSES: usize = 3;

/// Blurs a plane of `columns` samples a row as a Gaussian of standard deviation `sigma` (pixels) does. Beyond its borders
/// the plane goes on as it ends.
pub(super) fn blur(samples: &[u8], columns: usize, sigma: f64) -> Vec<u8> {
    let rows = samples.len() / columns;
    let filter = BoxFilter::new(sigma * sigma / PASSES as f64);
    let mut plane: Vec<f32> = samples.iter().copied().map(f32::from).collect();
    for length in [columns, rows] {
        for _ in 0..PASSES {
            plane = filter.over_rows(&plane, length);
        }
        plane = transposed(&plane, length);
    }
    plane.into_iter().map(|it| it.round() as u8).collect()
}

/// The mean of `2 reach + 1` neighbours, and of the two next ones with less weight: so it has any variance (Gwosdek et al.,
/// "Theoretical foundations of Gaussian convolution by extended box filtering", 2011).
struct BoxFilter {
    reach: usize,
    edge: f32,
}

impl BoxFilter {
    fn new(variance: f64) -> Self {
        // A box that reaches m has the variance m (m + 1) / 3.
        let m = (((1.0 + 12.0 * variance).sqrt() - 1.0) / 2.0).floor();
        let short = 3.0 * variance - m * (m + 1.0);
        let edge = (2.0 * m + 1.0) * short / (6.0 * ((m + 1.0).powi(2) - variance));
        Self {
            reach: m as usize,
            edge: edge as f32,
        }
    }

    fn over_rows(&self, plane: &[f32], length: usize) -> Vec<f32> {
        let weight = 1.0 / ((2 * self.reach + 1) as f32 + 2.0 * self.edge);
        let mut blurred = Vec::with_capacity(plane.len());
        for row in plane.chunks_exact(length) {
            let at = |index: isize| row[index.clamp(0, length as isize - 1) as usize];
            let reach = self.reach as isize;
            let mut sum: f32 = (-reach..=reach).map(at).sum();
            for x in 0..length as isize {
                let edges = at(x - reach - 1) + at(x + reach + 1);
                blurred.push(weight * (sum + self.edge * edges));
                sum += at(x + reach + 1) - at(x - reach);
            }
        }
        blurred
    }
}

fn transposed(plane: &[f32], columns: usize) -> Vec<f32> {
    let rows = plane.len() / columns;
    let column = |x: usize| (0..rows).map(move |y| plane[y * columns + x]);
    (0..columns).flat_map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deviation of what a point becomes, in both directions.
    fn spread(sigma: f64) -> [f64; 2] {
        const SIZE: usize = 201;
        // Many points side by side make a line: a single one would vanish in the rounding.
        let line = |vertical: bool| {
            let at = |index: usize| if vertical { index % SIZE } else { index / SIZE };
            let line: Vec<u8> = (0..SIZE * SIZE)
                .map(|index| if at(index) == SIZE / 2 { 250 } else { 0 })
                .collect();
            let blurred = blur(&line, SIZE, sigma);
            let (mut mass, mut variance) = (0.0, 0.0);
            for (index, sample) in blurred.into_iter().enumerate() {
                let away = at(index) as f64 - (SIZE / 2) as f64;
                mass += f64::from(sample);
                variance += f64::from(sample) * away * away;
            }
            (variance / mass).sqrt()
        };
        [line(true), line(false)]
    }

    #[test]
    fn a_point_becomes_as_wide_as_asked_for() {
        for sigma in [0.5, 0.7, 1.0, 1.3, 2.0, 3.7, 8.0] {
            for seen in spread(sigma) {
                assert!((seen / sigma - 1.0).abs() < 0.08, "{sigma}: {seen}");
            }
        }
    }

    #[test]
    fn an_even_plane_stays_as_it_is() {
        assert_eq!(blur(&[77; 30 * 20], 30, 5.0), [77; 30 * 20]);
    }
}
