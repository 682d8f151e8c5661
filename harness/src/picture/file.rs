//! Pictures in files: PNG and JPEG in, PNG out.

use super::Picture;
use image::{ExtendedColorType, ImageEncoder, ImageError, ImageReader, codecs::png::PngEncoder};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Why a picture could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file could not be read at all.
    #[error("cannot read the picture {path:?}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is neither PNG nor JPEG.
    #[error("{path:?} is no picture this can read; expected a PNG or JPEG file", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file is a picture that stops short or is damaged.
    #[error("the picture {path:?} is damaged or cut short: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// More pixels along a side than a PNG file can count, or none.
    #[error("a PNG file has no pictures of {width} by {height} pixels; expected 1 to {most} a side", most = Picture::MOST_SIDE)]
    Size {
        /// Pixels from left to right.
        width: usize,
        /// Pixels from top to bottom.
        height: usize,
    },
}

impl Picture {
    /// Reads a PNG or JPEG file; transparency is dropped.
    ///
    /// # Errors
    /// [`PictureError`] when the file is missing, is something else, or stops short.
    pub fn open(path: &Path) -> Result<Picture, PictureError> {
        let read = |source| PictureError::Read { path: path.into(), source };
        let damaged = |reason: String| PictureError::Damaged { path: path.into(), reason };
        let bytes = std::fs::read(path).map_err(read)?;
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(read)?;
        if reader.format().is_none() {
            return Err(PictureError::Format { path: path.into() });
        }
        // The JPEG decoder fills what is missing with grey; the end marker tells.
        let jpeg = reader.format() == Some(image::ImageFormat::Jpeg);
        if jpeg && !bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9]) {
            return Err(damaged("the end marker of the JPEG file is missing".into()));
        }
        let decoded = reader.decode().map_err(|error| match error {
            ImageError::Unsupported(_) => PictureError::Format { path: path.into() },
            other => damaged(other.to_string()),
        })?;
        let rgb = decoded.into_rgb8();
        Ok(Picture::new(rgb.width() as usize, rgb.height() as usize, rgb.into_raw()))
    }

    /// The most pixels along a side of a PNG file, which counts them in 31 bits.
    pub const MOST_SIDE: usize = i32::MAX as usize;

    /// Whether a PNG file can hold so many pixels from left to right and from top to bottom.
    ///
    /// # Errors
    /// [`PictureError::Size`].
    pub fn check_png(width: usize, height: usize) -> Result<[u32; 2], PictureError> {
        let side = |pixels: usize| u32::try_from(pixels).ok().filter(|&side| side > 0);
        let most = |side: &u32| *side as usize <= Self::MOST_SIDE;
        match [width, height].map(|pixels| side(pixels).filter(most)) {
            [Some(width), Some(height)] => Ok([width, height]),
            _ => Err(PictureError::Size { width, height }),
        }
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// # Panics
    /// When the picture has no pixels, or more along a side than [`Picture::check_png`] allows.
    pub fn png(&self) -> Vec<u8> {
        let [width, height] =
            Self::check_png(self.width(), self.height()).unwrap_or_else(|error| panic!("{error}"));
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(self.rgb(), width, height, ExtendedColorType::Rgb8)
            .expect("encoding a non-empty picture into memory cannot fail");
        bytes
    }
}
