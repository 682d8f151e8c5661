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

    /// The picture as the bytes of a PNG file.
    ///
    /// # Panics
    /// When the picture has no pixels, which PNG cannot hold.
    pub fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(
                self.rgb(),
                self.width() as u32,
                self.height() as u32,
                ExtendedColorType::Rgb8,
            )
            .expect("encoding a non-empty picture into memory cannot fail");
        bytes
    }
}
