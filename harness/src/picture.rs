//! Pictures: the input of the K-Means workload, read from a file or painted from a seed.
//!
//! A picture here is 8-bit RGB and nothing more. It knows how to become points (one row of three
//! floats a pixel) and how to be repainted from labels and centres; it knows nothing of K-Means.

use tilewise::Matrix;
use tilewise::points::distinct;

#[cfg(feature = "cli")]
mod file;
mod paint;

#[cfg(feature = "cli")]
pub use file::PictureError;

/// An RGB picture, eight bits a channel, rows top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// Size of the picture that is used where no file is given: that of the photograph which
    /// K-Means articles quantise, 273,280 pixels.
    pub const DEFAULT_SIZE: (usize, usize) = (640, 427);

    /// Wraps `rgb`, three bytes a pixel.
    ///
    /// # Panics
    /// When the length is not `width * height * 3`.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Picture {
        assert_eq!(rgb.len(), width * height * 3, "{width}x{height} pixels of three bytes");
        Picture { width, height, rgb }
    }

    /// Paints a lake under mountains at dusk; the seed moves the ridges and the grain.
    ///
    /// ```
    /// use tilewise_harness::picture::Picture;
    /// let picture = Picture::generate(64, 48, 7);
    /// assert_eq!(picture, Picture::generate(64, 48, 7));
    /// assert_ne!(picture, Picture::generate(64, 48, 8));
    /// ```
    pub fn generate(width: usize, height: usize, seed: u64) -> Picture {
        Picture::new(width, height, paint::landscape(width, height, seed))
    }

    /// Paints values as heat, from the least (dark) to the greatest (bright); values that are all the
    /// same are dark, and what is no number is black.
    ///
    /// # Panics
    /// When there are not `width * height` values.
    pub fn of_field(width: usize, height: usize, values: &[f64]) -> Picture {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let span = if most > least { most - least } else { 1.0 };
        let rgb = values.iter().flat_map(|value| paint::heat((value - least) / span)).collect();
        Picture::new(width, height, rgb)
    }

    /// Pixels from left to right.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> usize {
        self.height
    }

    /// How many pixels.
    pub fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// The bytes, three a pixel.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Row-major points: one row of red, green, blue a pixel, scaled to 0..1 as the articles do.
    pub fn points(&self) -> Vec<f32> {
        self.rgb.iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }

    /// How many different colours it has.
    ///
    /// # Panics
    /// When there is no room for a bit for each colour, 2 MiB.
    pub fn colours(&self) -> usize {
        let pixels = Matrix::new(&self.rgb, self.pixels(), 3).expect("three bytes a pixel");
        distinct(pixels).expect("2 MiB of memory")
    }

    /// The same picture with every pixel in the colour of its centre (rows of three in 0..1).
    ///
    /// # Panics
    /// When there are not as many labels as pixels, or a label has no centre.
    pub fn repaint(&self, labels: &[u32], centres: &[f32]) -> Picture {
        assert_eq!(labels.len(), self.pixels(), "one label a pixel");
        let palette: Vec<u8> =
            centres.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        let rgb = labels.iter().flat_map(|&label| {
            let at = label as usize * 3;
            [palette[at], palette[at + 1], palette[at + 2]]
        });
        Picture::new(self.width, self.height, rgb.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_painted_picture_has_tens_of_thousands_of_colours() {
        let (width, height) = Picture::DEFAULT_SIZE;
        let colours = Picture::generate(width, height, 1).colours();
        assert!((20_000..273_280).contains(&colours), "{colours}");
    }

    #[test]
    fn fields_are_painted_from_dark_to_bright() {
        let colours = |values: &[f64]| {
            let picture = Picture::of_field(values.len(), 1, values);
            picture.rgb().as_chunks::<3>().0.to_vec()
        };
        let light = |colour: [u8; 3]| colour.map(u32::from).iter().sum::<u32>();
        let (dark, bright) = (paint::heat(0.0), paint::heat(1.0));
        assert!(light(dark) < 60 && light(bright) > 700, "{dark:?} {bright:?}");
        // Wherever they stand.
        let painted = colours(&[7.0, -3.0, 2.0, 6.0, -2.5]);
        assert_eq!((painted[1], painted[0]), (dark, bright));
        let sorted = [1, 4, 2, 3, 0].map(|at| light(painted[at]));
        assert!(sorted.is_sorted_by(|darker, brighter| darker < brighter), "{sorted:?}");
        // Nothing differs: no division by nothing.
        assert_eq!(colours(&[0.0; 3]), [dark; 3]);
        assert_eq!(colours(&[-5.5; 2]), [dark; 2]);
        // What is no number changes no other colour.
        let black = [0; 3];
        assert_eq!(colours(&[f64::NAN, 4.0, 3.0]), [black, bright, dark]);
        assert_eq!(colours(&[f64::NAN; 2]), [black; 2]);
    }

    #[test]
    fn repainting_uses_the_centres() {
        let picture = Picture::new(2, 1, vec![1, 2, 3, 4, 5, 6]);
        let repainted = picture.repaint(&[1, 0], &[0.0, 0.0, 0.0, 1.0, 0.2, 2.0]);
        assert_eq!(repainted.rgb(), [255, 51, 255, 0, 0, 0]);
    }
}
