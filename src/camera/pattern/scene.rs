//! What the test picture shows: colour bars, a ramp from black to white, and three charts at different distances, as a
//! camera with a certain look sees them.

use super::blur::blur;
use super::device::Look;
use crate::picture::{Picture, Window, text};

/// Colour bars at 75 % in RGB: white, yellow, cyan, green, magenta, red, blue.
const BARS: [[f64; 3]; 7] = [
    [0.75, 0.75, 0.75],
    [0.75, 0.75, 0.0],
    [0.0, 0.75, 0.75],
    [0.0, 0.75, 0.0],
    [0.75, 0.0, 0.75],
    [0.75, 0.0, 0.0],
    [0.0, 0.0, 0.75],
];
/// How far away the charts are, dioptres, and what is written under them.
const CHARTS: [(f64, &str); 3] = [(0.5, "2 m"), (2.0, "50 cm"), (5.0, "20 cm")];
/// Dark and bright parts of a chart, and the card that it is on.
const DARK: f64 = 40.0;
const BRIGHT: f64 = 200.0;
const CARD: u8 = 120;
/// Dark spokes of a chart.
const SPOKES: f64 = 20.0;
/// Standard deviation of the blur, in pixels of a picture of 2304 columns: that of a lens in focus, and for each dioptre
/// that it is off, as measured on photographs.
const SHARPEST: f64 = 0.7;
const DEFOCUS: f64 = 2.3;
const COLUMNS: f64 = 2304.0;
/// The blur whose difference from the picture is added by sharpening, in the same pixels.
const SHARPENING: f64 = 1.5;
/// Brightness of linear light to that of the picture.
const GAMMA: f64 = 1.0 / 2.2;
/// The power that lifts dark parts.
const LIFT: f64 = 0.7;

/// The scene for pictures of one size.
pub(super) struct Scene {
    /// The newest picture, without what moves in it.
    picture: Picture,
    /// Its look; `None` before the first.
    look: Option<Look>,
    /// The charts' brightness when they are sharp.
    chart: Vec<u8>,
    side: usize,
}

impl Scene {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let side = (height * 28 / 100) & !1;
        Self {
            picture: Picture::filled(width, height, [0, 128, 128]),
            look: None,
            chart: chart(side),
            side,
        }
    }

    /// How far away, dioptres, what is in `window` is: the chart that is nearest to its middle.
    pub(super) fn distance(window: Window) -> f64 {
        let [x, _, width, _] = window.0;
        let nearest = ((x + width / 2.0) * CHARTS.len() as f64) as usize;
        CHARTS[nearest.min(CHARTS.len() - 1)].0
    }

    /// The scene as a camera with this look sees it. It is drawn again only where that has changed.
    pub(super) fn seen(&mut self, look: Look) -> &Picture {
        let sharp = |lens: f64| Look { lens, ..look };
        let lens_alone = self.look.is_some_and(|before| before == sharp(before.lens));
        if self.look != Some(look) {
            if !lens_alone {
                self.draw_flat(&look);
            }
            self.draw_charts(&look);
            self.look = Some(look);
        }
        &self.picture
    }

    fn draw_flat(&mut self, look: &Look) {
        let (width, height) = (self.picture.width(), self.picture.height());
        let ramp = (height * 7 / 8) & !1;
        for (index, rgb) in BARS.into_iter().enumerate() {
            let left = (width * index / BARS.len()) & !1;
            let right = (width * (index + 1) / BARS.len()) & !1;
            let yuv = look.yuv(rgb);
            self.picture
                .fill_rectangle((left, 0), (right - left, ramp), yuv);
        }
        for x in (0..width).step_by(2) {
            let grey = x as f64 / (width - 1) as f64;
            let yuv = look.yuv([grey; 3]);
            self.picture
                .fill_rectangle((x, ramp), (2, height - ramp), yuv);
        }
    }

    fn draw_charts(&mut self, look: &Look) {
        let (width, height) = (self.picture.width(), self.picture.height());
        let side = self.side;
        let scale = width as f64 / COLUMNS;
        // What becomes of each grey, by plane.
        let tones: [[u8; 256]; 3] = std::array::from_fn(|plane| {
            std::array::from_fn(|grey| look.yuv([grey as f64 / 255.0; 3])[plane])
        });
        for (index, (distance, label)) in CHARTS.into_iter().enumerate() {
            let left =
                (((2 * index + 1) * width / (2 * CHARTS.len())) & !1).saturating_sub(side / 2) & !1;
            let top = (height * 37 / 100) & !1;
            let sigma = (SHARPEST.powi(2) + (DEFOCUS * (look.lens - distance)).powi(2)).sqrt();
            let mut seen = blur(&self.chart, side, sigma * scale);
            sharpen(&mut seen, side, look.sharpening - 1.0, SHARPENING * scale);
            for (plane, tones) in tones.iter().enumerate() {
                let step = if plane == 0 { 1 } else { 2 };
                let (columns, _) = self.picture.plane_size(plane);
                let samples = self.picture.plane_mut(plane);
                for y in (0..side).step_by(step) {
                    let row = &mut samples[(top + y) / step * columns + left / step..];
                    let seen = seen[y * side..][..side].iter().step_by(step);
                    for (sample, grey) in row.iter_mut().zip(seen) {
                        *sample = tones[usize::from(*grey)];
                    }
                }
            }
            let size = (width / 960).max(1);
            text(&mut self.picture, (left, top + side), size, label);
        }
    }
}

/// A star of dark and bright spokes on a card of `side` × `side` pixels.
fn chart(side: usize) -> Vec<u8> {
    let middle = side as f64 / 2.0 - 0.5;
    let grey = |index: usize| {
        let (x, y) = (
            (index % side) as f64 - middle,
            (index / side) as f64 - middle,
        );
        let radius = x.hypot(y);
        if radius > 0.48 * side as f64 {
            return CARD;
        }
        // An edge is two pixels wide, wherever it is.
        let edge = (SPOKES * y.atan2(x)).sin() * radius / SPOKES;
        let (mean, swing) = ((BRIGHT + DARK) / 2.0, (BRIGHT - DARK) / 2.0);
        (mean + swing * edge.clamp(-1.0, 1.0)) as u8
    };
    (0..side * side).map(grey).collect()
}

/// Adds `amount` times the difference from a blurred copy.
fn sharpen(samples: &mut [u8], columns: usize, amount: f64, sigma: f64) {
    if amount == 0.0 {
        return;
    }
    let blurred = blur(samples, columns, sigma);
    for (sample, blurred) in samples.iter_mut().zip(blurred) {
        let here = f64::from(*sample);
        *sample = (here + amount * (here - f64::from(blurred))) as u8; // saturates
    }
}

impl Look {
    /// What becomes of a colour of the scene (0 to 1 each), full range BT.601.
    fn yuv(&self, [red, green, blue]: [f64; 3]) -> [u8; 3] {
        let exposed = |value: f64, tint: f64| {
            let caught = (value * (self.light * tint).powf(GAMMA)).min(1.0);
            let lifted = if self.lifted {
                caught.powf(LIFT)
            } else {
                caught
            };
            ((lifted - 0.5) * self.contrast + 0.5 + self.brightness).clamp(0.0, 1.0)
        };
        let [red_tint, blue_tint] = self.tint;
        let (red, green, blue) = (
            exposed(red, red_tint),
            exposed(green, 1.0),
            exposed(blue, blue_tint),
        );
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        let chroma = |difference: f64| 128.0 + 255.0 * self.saturation * difference;
        let cb = chroma((blue - luma) / 1.772);
        let cr = chroma((red - luma) / 1.402);
        [255.0 * luma, cb, cr].map(|sample| sample.round() as u8) // saturates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::focus::sharpness;
    use crate::picture::Planes;

    const LOOK: Look = Look {
        light: 1.0,
        tint: [1.0, 1.0],
        brightness: 0.0,
        contrast: 1.0,
        saturation: 1.0,
        sharpening: 1.0,
        lifted: false,
        noise: 0.0,
        lens: 2.0,
    };

    fn seen(look: Look) -> Picture {
        Scene::new(640, 360).seen(look).clone()
    }

    /// The mean of each plane.
    fn means(picture: &Picture) -> [f64; 3] {
        picture.planes().map(|plane| {
            let sum: u64 = plane.data.iter().map(|&sample| u64::from(sample)).sum();
            sum as f64 / plane.data.len() as f64
        })
    }

    fn score(picture: &Picture, window: Window) -> f64 {
        let [luma, ..] = picture.planes();
        sharpness(luma, (picture.width(), picture.height()), window)
    }

    #[test]
    fn the_bars_have_their_standard_colours() {
        let bars = [
            [191, 128, 128],
            [169, 32, 143],
            [134, 160, 32],
            [112, 64, 48],
            [79, 192, 208],
            [57, 96, 224],
            [22, 224, 113],
        ];
        for (rgb, yuv) in BARS.into_iter().zip(bars) {
            let drawn = LOOK.yuv(rgb);
            assert!(
                drawn.iter().zip(yuv).all(|(a, b)| a.abs_diff(b) <= 1),
                "{drawn:?} {yuv:?}"
            );
        }
    }

    #[test]
    fn each_chart_is_sharpest_where_it_is() {
        for (index, (distance, _)) in CHARTS.into_iter().enumerate() {
            let window = Window([index as f64 / 3.0, 0.3, 1.0 / 3.0, 0.4]);
            assert_eq!(Scene::distance(window), distance);
            let at = |lens: f64| score(&seen(Look { lens, ..LOOK }), window);
            let scores = [0.0, 0.5, 1.5, 4.0].map(|off| at(distance + off));
            assert!(
                scores.windows(2).all(|pair| pair[0] > 1.02 * pair[1]),
                "{scores:?}"
            );
        }
    }

    #[test]
    fn every_look_differs_as_it_should() {
        let usual = means(&seen(LOOK));
        let luma = |look: Look| means(&seen(look))[0];
        assert!(luma(Look { light: 2.0, ..LOOK }) > usual[0] + 10.0);
        assert!(
            luma(Look {
                brightness: 0.2,
                ..LOOK
            }) > usual[0] + 10.0
        );
        assert!(
            luma(Look {
                lifted: true,
                ..LOOK
            }) > usual[0] + 3.0
        );
        let grey = means(&seen(Look {
            saturation: 0.0,
            ..LOOK
        }));
        assert!(
            grey[1..].iter().all(|mean| (mean - 128.0).abs() < 1.0),
            "{grey:?}"
        );
        let red = means(&seen(Look {
            tint: [1.6, 0.7],
            ..LOOK
        }));
        assert!(
            red[2] > usual[2] + 3.0 && red[1] < usual[1] - 3.0,
            "{red:?}"
        );
        let flat = seen(Look {
            contrast: 0.3,
            ..LOOK
        });
        let crisp = seen(Look {
            sharpening: 3.0,
            ..LOOK
        });
        let here = score(&seen(LOOK), Window::MIDDLE);
        assert!(score(&flat, Window::MIDDLE) < 0.5 * here);
        assert!(score(&crisp, Window::MIDDLE) > 1.2 * here);
    }

    #[test]
    fn a_look_that_comes_back_is_drawn_as_before() {
        let mut scene = Scene::new(640, 360);
        let first = scene.seen(LOOK).clone();
        scene.seen(Look { lens: 9.0, ..LOOK });
        scene.seen(Look { light: 0.3, ..LOOK });
        assert!(*scene.seen(LOOK) == first);
    }
}
